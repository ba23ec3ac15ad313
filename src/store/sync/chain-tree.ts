import { ExternalError } from '../../domain/errors.js'
import { runInGroup } from '../../system/run-in-group.js'
import { type Env, gitEnv, runGit } from '../git-process.js'
import { LOG_FILE } from '../layout.js'

/** A file of a chain as a commit holds it. */
export interface TreeFile {
  oid: string
  sizeBytes: number
}

export interface ChainTree {
  /** By name in log/. */
  log: Map<string, TreeFile>
  /** By name in blob/. */
  blobs: Map<string, TreeFile>
}

export type TreeReading = { kind: 'tree'; tree: ChainTree } | { kind: 'refused'; code: string; why: string }

const BLOB_NAME = /^[0-9a-f]{64}$/
/** Bases are cut far below this, segments further. */
const MAX_FILE_BYTES = 256 * 1024 * 1024

/** Lists what commit `tip` of the chain of `clone` holds; anything that cannot be of that chain refuses all of it. */
export async function readChainTree(
  place: { repository: string; env: Env },
  clone: string,
  tip: string,
): Promise<TreeReading> {
  const listing = await runGit({ ...place, args: ['ls-tree', '-r', '-l', '-z', '--full-tree', tip] })
  if (listing.exitCode !== 0) {
    return { kind: 'refused', code: 'not-a-chain', why: `${tip.slice(0, 10)} is no commit that can be read` }
  }
  const tree: ChainTree = { log: new Map(), blobs: new Map() }
  for (const entry of listing.stdout.split('\0')) {
    if (entry === '') continue
    const problem = addEntry(tree, clone, entry)
    if (problem !== undefined) return { kind: 'refused', code: 'foreign-file', why: problem }
  }
  return { kind: 'tree', tree }
}

/** @returns why the entry cannot be of this chain */
function addEntry(tree: ChainTree, clone: string, entry: string): string | undefined {
  const match = /^(\d+) (\w+) ([0-9a-f]+) +(\d+|-)\t([\s\S]*)$/.exec(entry)
  const [, mode, type, oid = '', size = '', path = ''] = match ?? []
  const shown = JSON.stringify(path).slice(0, 100)
  if (type !== 'blob' || mode !== '100644') return `${shown} is not a plain file`
  const file = { oid, sizeBytes: Number(size) }
  if (file.sizeBytes > MAX_FILE_BYTES) return `${shown} has ${size} bytes`
  const [folder, name = '', ...deeper] = path.split('/')
  if (folder === 'log') {
    if (deeper.length > 0 || LOG_FILE.exec(name)?.[1] !== clone) return `${shown} is not a file of ${clone}`
    tree.log.set(name, file)
  } else if (folder === 'blob') {
    if (deeper.length > 0 || !BLOB_NAME.test(name)) return `${shown} is not the name of a blob`
    tree.blobs.set(name, file)
  }
  // Other folders are a newer gt's business.
  return undefined
}

/** Contents of git objects, in the order asked for. @throws ExternalError code `git-failed` */
export async function readObjects(
  { repository, env }: { repository: string; env: Env },
  oids: readonly string[],
): Promise<Buffer[]> {
  if (oids.length === 0) return []
  const argv = ['git', `--git-dir=${repository}`, 'cat-file', '--batch']
  const input = Buffer.from(`${oids.join('\n')}\n`)
  const { exitCode, stdout, stderr } = await runInGroup({ argv, env: gitEnv(env), input })
  const contents: Buffer[] = []
  let position = 0
  for (const oid of oids) {
    const lineEnd = stdout.indexOf(10, position)
    const header = stdout.toString('latin1', position, Math.max(lineEnd, position))
    const size = new RegExp(`^${oid} blob (\\d+)$`).exec(header)?.[1]
    if (size === undefined) {
      throw new ExternalError(
        `git cat-file failed in ${repository}: ${header || stderr.trim().slice(-300) || `it said ${stdout.length} bytes and ended with ${exitCode}`}`,
        {
          code: 'git-failed',
          details: { exitCode, oid },
        },
      )
    }
    contents.push(stdout.subarray(lineEnd + 1, lineEnd + 1 + Number(size)))
    position = lineEnd + 1 + Number(size) + 1
  }
  return contents
}
