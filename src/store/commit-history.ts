import { readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { ConflictError, ExternalError } from '../domain/errors.js'
import { randomId } from '../domain/ids.js'
import { writeAtomically } from '../system/atomic-write.js'
import type { CloneIdentity } from './clone-identity.js'
import { commitMessage } from './commit-message.js'
import { branchOf, git, initRepository, runGit } from './git-process.js'
import { withHistoryLock } from './history-lock.js'
import type { StorePaths } from './layout.js'
import { NEWLINE } from './record-line.js'
import { isMissing } from './segment-bytes.js'
import type { StoreSettings } from './store-options.js'
import { historyNotePath, ownFiles } from './uncommitted.js'

export interface HistoryContext {
  paths: StorePaths
  settings: StoreSettings
  identity: CloneIdentity
}

/** A commit as found on our branch: file sizes by path; empty when there is none yet. */
interface Tip {
  commit: string | undefined
  sizes: ReadonlyMap<string, number>
}

interface Change {
  path: string
  /** Undefined: deleted. */
  content: Buffer | undefined
  /** Where the uncommitted part starts. */
  from: number
}

const MAX_RACES = 5
const BLOB_NAME = /^[0-9a-f]{64}$/

/**
 * Commits own files of the log, each up to its last whole line, and blobs, to this clone's branch. A repository that
 * cannot be used is set aside as local/damaged.git and made again: history is a copy, the log is the truth.
 *
 * @returns the commit id; undefined when nothing changed
 * @throws ExternalError codes `git-failed`, `git-missing`; ConflictError code `history-contention`
 */
export async function commitHistory(context: HistoryContext, message?: string): Promise<string | undefined> {
  return withHistoryLock(join(context.paths.local, 'history.lock'), async () => {
    try {
      return await commitOnce(context, message)
    } catch (error) {
      if (!(error instanceof ExternalError) || error.code !== 'git-failed') throw error
      if (await isHealthy(context)) throw error
      await replaceRepository(context)
      return commitOnce(context, message)
    }
  })
}

async function commitOnce(context: HistoryContext, message: string | undefined): Promise<string | undefined> {
  for (let race = 0; race < MAX_RACES; race++) {
    const tip = await readTip(context)
    const changes = findChanges(context, tip)
    if (changes.length === 0) {
      noteCommit(context, tip.commit ?? '', tip, [])
      return undefined
    }
    const commit = await importCommit(context, tip, changes, message)
    if (commit !== undefined) {
      noteCommit(context, commit, tip, changes)
      return commit
    }
  }
  throw new ConflictError('other processes kept committing the history', { code: 'history-contention' })
}

async function readTip(context: HistoryContext): Promise<Tip> {
  const ref = branchOf(context.identity.clone)
  const found = await runGit({ ...place(context), args: ['for-each-ref', '--format=%(objectname)', ref] })
  if (found.exitCode !== 0) throw failed('for-each-ref', found.stderr)
  const commit = found.stdout.trim()
  // A ref whose file holds garbage is reported on stderr and left out.
  if (commit === '' && found.stderr !== '') throw failed('for-each-ref', found.stderr)
  if (commit === '') return { commit: undefined, sizes: new Map() }
  const listing = await git({ ...place(context), args: ['ls-tree', '-r', '-l', '-z', commit] })
  const sizes = new Map<string, number>()
  for (const entry of listing.split('\0')) {
    const match = /^\d+ blob [0-9a-f]+ +(\d+)\t(.*)$/s.exec(entry)
    if (match !== null) sizes.set(match[2] ?? '', Number(match[1]))
  }
  return { commit, sizes }
}

function findChanges({ paths, identity }: HistoryContext, tip: Tip): Change[] {
  const changes: Change[] = []
  const present = new Set<string>()
  for (const name of ownFiles(paths, identity)) {
    const path = `log/${name}`
    const content = wholeLines(join(paths.log, name))
    if (content === undefined) continue
    present.add(path)
    const from = tip.sizes.get(path)
    if (from !== content.length) changes.push({ path, content, from: from ?? 0 })
  }
  for (const name of readdirSync(paths.blob)) {
    if (!BLOB_NAME.test(name)) continue
    present.add(`blob/${name}`)
    if (tip.sizes.has(`blob/${name}`)) continue
    changes.push({
      path: `blob/${name}`,
      content: readFileSync(join(paths.blob, name)),
      from: Number.POSITIVE_INFINITY,
    })
  }
  for (const path of tip.sizes.keys())
    if (!present.has(path)) changes.push({ path, content: undefined, from: 0 })
  return changes
}

/** Without a last line that a writer has not finished. */
function wholeLines(path: string): Buffer | undefined {
  try {
    const bytes = readFileSync(path)
    return bytes.subarray(0, bytes.lastIndexOf(NEWLINE) + 1)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** @returns undefined when the branch moved in the meantime */
async function importCommit(
  context: HistoryContext,
  tip: Tip,
  changes: readonly Change[],
  message: string | undefined,
): Promise<string | undefined> {
  const added = changes.flatMap(({ content, from }) =>
    content === undefined ? [] : [content.subarray(from)],
  )
  const text = Buffer.from(message ?? commitMessage(added))
  const ref = branchOf(context.identity.clone)
  const when = `${Math.floor(context.settings.now() / 1000)} +0000`
  const parts: Buffer[] = [
    Buffer.from(
      `feature done\ncommit ${ref}\nmark :1\ncommitter gt <gt@localhost> ${when}\ndata ${text.length}\n`,
    ),
    text,
    Buffer.from(tip.commit === undefined ? '\n' : `\nfrom ${tip.commit}\n`),
  ]
  for (const { path, content } of changes) {
    if (content === undefined) parts.push(Buffer.from(`D ${path}\n`))
    else
      parts.push(Buffer.from(`M 100644 inline ${path}\ndata ${content.length}\n`), content, Buffer.from('\n'))
  }
  parts.push(Buffer.from('\nget-mark :1\ndone\n'))
  context.settings.onStep('history:before-import')
  // Without --force fast-import refuses to move the ref unless its old value is an ancestor of the new one.
  const args = ['fast-import', '--quiet', '--date-format=raw']
  const result = await runGit({ ...place(context), args, input: Buffer.concat(parts) })
  if (result.exitCode === 0) return result.stdout.trim()
  if (/not updating|new tip [0-9a-f]+ does not contain/i.test(result.stderr)) return undefined
  throw failed('fast-import', result.stderr)
}

function failed(command: string, stderr: string): ExternalError {
  return new ExternalError(`git ${command} failed: ${stderr.trim().slice(-300)}`, {
    code: 'git-failed',
    details: { stderr: stderr.slice(-2000) },
  })
}

/** What the commit holds, not what the files hold by now. */
function noteCommit(context: HistoryContext, commit: string, tip: Tip, changes: readonly Change[]): void {
  const { paths, settings } = context
  const sizes = new Map(tip.sizes)
  for (const { path, content } of changes) {
    if (content === undefined) sizes.delete(path)
    else sizes.set(path, content.length)
  }
  const files: Record<string, number> = {}
  for (const [path, size] of sizes) if (path.startsWith('log/')) files[path.slice('log/'.length)] = size
  const temporary = `${historyNotePath(paths)}.${randomId(settings.random.bytes(8), 8)}.tmp`
  const note = JSON.stringify({ commit, at: settings.now(), files })
  writeAtomically(historyNotePath(paths), note, { temporary, durable: false })
}

/** Tells a damaged repository from a full disk, which is no reason to give history up. */
async function isHealthy(context: HistoryContext): Promise<boolean> {
  const check = await runGit({
    ...place(context),
    args: ['fsck', '--connectivity-only', '--no-dangling', '--no-progress'],
  })
  return check.exitCode === 0 && !/^(error|broken|missing|fatal)/m.test(check.stderr + check.stdout)
}

async function replaceRepository({ paths, settings, identity }: HistoryContext): Promise<void> {
  const aside = join(paths.local, 'damaged.git')
  rmSync(aside, { recursive: true, force: true })
  try {
    renameSync(paths.git, aside)
  } catch (error) {
    if (!isMissing(error)) throw error
  }
  await initRepository(paths.git, branchOf(identity.clone), settings.env)
}

function place({ paths, settings }: HistoryContext) {
  return { repository: paths.git, env: settings.env }
}
