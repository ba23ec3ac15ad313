import { readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { ConflictError, ExternalError } from '../domain/errors.js'
import { randomId } from '../domain/ids.js'
import { writeAtomically } from '../system/atomic-write.js'
import type { CloneIdentity } from './clone-identity.js'
import { commitMessage } from './commit-message.js'
import { branchOf, git, initRepository, runGit } from './git-process.js'
import { withHistoryLock } from './history-lock.js'
import type { StorePaths } from './layout.js'
import { objectName } from './object-name.js'
import { NEWLINE } from './record-line.js'
import { isMissing } from './segment-bytes.js'
import type { StoreSettings } from './store-options.js'
import { chainFiles, historyNotePath, isReplaced, readHistoryNote, waitingForMs } from './uncommitted.js'

export interface HistoryContext {
  paths: StorePaths
  settings: StoreSettings
  identity: CloneIdentity
  /** Also commits files that no longer begin with what was committed of them: a repair has judged them. */
  isRepaired?: boolean
}

/** A commit as found on a branch of ours: files by path; empty when there is none yet. */
interface Tip {
  clone: string
  commit: string | undefined
  sizes: ReadonlyMap<string, number>
  blobs: ReadonlyMap<string, string>
}

interface Change {
  path: string
  /** Undefined: deleted. */
  content: Buffer | undefined
  /** Where the uncommitted part starts. */
  from: number
}

const MAX_RACES = 5
const BLOB_SIGN = '"$blob":"'
const BLOB_NAME = /^[0-9a-f]{64}$/
/** The kernel dates files by a clock that stands still for up to this long, so a file may look older than it is. */
const COARSE_CLOCK_MS = 20

/**
 * Commits own files of the log, each up to its last whole line, and the blobs that they name, to this clone's branch; chains
 * written under former ids to theirs. A repository that cannot be used is set aside as local/damaged.git and made again:
 * history is a copy, the log is the truth.
 *
 * @returns the commit id; undefined when nothing changed
 * @throws ExternalError codes `git-failed`, `git-missing`; ConflictError code `history-contention`
 */
export async function commitHistory(context: HistoryContext, message?: string): Promise<string | undefined> {
  return withHistoryLock(join(context.paths.local, 'history.lock'), async () => {
    try {
      return await commitAll(context, message)
    } catch (error) {
      if (!(error instanceof ExternalError) || error.code !== 'git-failed') throw error
      if (await isHealthy(context)) throw error
      await replaceRepository(context)
      return commitAll(context, message)
    }
  })
}

async function commitAll(context: HistoryContext, message: string | undefined): Promise<string | undefined> {
  const { paths, identity, settings } = context
  for (const former of identity.formerly) {
    const question = {
      paths,
      names: chainFiles(paths, former),
      note: readHistoryNote(paths),
      nowMs: settings.now(),
    }
    if (waitingForMs(question) !== undefined) await commitOnce(context, former, message)
  }
  return commitOnce(context, identity.clone, message)
}

async function commitOnce(
  context: HistoryContext,
  clone: string,
  message: string | undefined,
): Promise<string | undefined> {
  for (let race = 0; race < MAX_RACES; race++) {
    const tip = await readTip(context, clone)
    const found = findChanges(context, tip)
    // Compacted while it was read: neither the segments nor their base might be in it.
    if (found === undefined) continue
    const { changes, refused } = found
    if (changes.length === 0) {
      noteCommit(context, { commit: tip.commit ?? '', tip, changes, refused })
      return undefined
    }
    const commit = await importCommit(context, tip, changes, message)
    if (commit !== undefined) {
      noteCommit(context, { commit, tip, changes, refused })
      return commit
    }
  }
  throw new ConflictError('other processes kept committing the history', { code: 'history-contention' })
}

async function readTip(context: HistoryContext, clone: string): Promise<Tip> {
  const ref = branchOf(clone)
  const found = await runGit({ ...place(context), args: ['for-each-ref', '--format=%(objectname)', ref] })
  if (found.exitCode !== 0) throw failed('for-each-ref', found.stderr)
  const commit = found.stdout.trim()
  // A ref whose file holds garbage is reported on stderr and left out.
  if (commit === '' && found.stderr !== '') throw failed('for-each-ref', found.stderr)
  if (commit === '') return { clone, commit: undefined, sizes: new Map(), blobs: new Map() }
  const listing = await git({ ...place(context), args: ['ls-tree', '-r', '-l', '-z', commit] })
  const sizes = new Map<string, number>()
  const blobs = new Map<string, string>()
  for (const entry of listing.split('\0')) {
    const match = /^\d+ blob ([0-9a-f]+) +(\d+)\t(.*)$/s.exec(entry)
    if (match === null) continue
    sizes.set(match[3] ?? '', Number(match[2]))
    blobs.set(match[3] ?? '', match[1] ?? '')
  }
  return { clone, commit, sizes, blobs }
}

interface Found {
  changes: Change[]
  /**
   * Names in `log/` that are not what an append-only file becomes: shorter, changed inside, or gone without a base. What was
   * committed of them stays as it is: it is what they can be restored from, and other machines must not lose it, too.
   */
  refused: string[]
}

/** @returns undefined when a file went away meanwhile */
function findChanges(context: HistoryContext, tip: Tip): Found | undefined {
  const { paths } = context
  // A chain of a former id may be the remote's by now.
  const mayRewrite = context.isRepaired === true || tip.clone !== context.identity.clone
  const lastCommitAtMs = readHistoryNote(paths).at
  const changes: Change[] = []
  const refused: string[] = []
  const present = new Set<string>()
  for (const name of chainFiles(paths, tip.clone)) {
    const path = `log/${name}`
    const content = wholeLines(join(paths.log, name))
    if (content === undefined) return undefined
    present.add(path)
    const from = tip.sizes.get(path)
    // What nobody touched since the last commit is what was committed, and need not be hashed.
    const isTouched = context.isRepaired === true || isNewer(join(paths.log, name), lastCommitAtMs)
    if (from === content.length && !isTouched) continue
    const isGrown = continues(content, from ?? 0, tip.blobs.get(path))
    if (isGrown && from === content.length) continue
    if (isGrown || mayRewrite) changes.push({ path, content, from: isGrown ? (from ?? 0) : 0 })
    else refused.push(name)
  }
  // Blobs of other clones' lines are theirs to publish.
  const named = blobsNamedIn(changes)
  for (const name of readdirSync(paths.blob)) {
    if (!BLOB_NAME.test(name)) continue
    present.add(`blob/${name}`)
    if (tip.sizes.has(`blob/${name}`) || !named.has(name)) continue
    changes.push({
      path: `blob/${name}`,
      content: readFileSync(join(paths.blob, name)),
      from: Number.POSITIVE_INFINITY,
    })
  }
  const names = [...present].map((path) => path.slice('log/'.length))
  for (const path of tip.sizes.keys()) {
    if (present.has(path)) continue
    const name = path.slice('log/'.length)
    const isLost = path.startsWith('log/') && !isReplaced(name, names)
    if (isLost && !mayRewrite) refused.push(name)
    else changes.push({ path, content: undefined, from: 0 })
  }
  return { changes, refused }
}

function isNewer(path: string, thanMs: number): boolean {
  return (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0) >= thanMs - COARSE_CLOCK_MS
}

/** Whether the content begins with the committed one. */
function continues(content: Buffer, from: number, blob: string | undefined): boolean {
  if (blob === undefined) return true
  return from <= content.length && objectName(content.subarray(0, from)) === blob
}

function blobsNamedIn(changes: readonly Change[]): Set<string> {
  const names = new Set<string>()
  for (const { content, from } of changes) {
    if (content === undefined || !content.includes(BLOB_SIGN, from)) continue
    for (const match of content.toString('latin1', from).matchAll(/"\$blob":"([0-9a-f]{64})"/g)) {
      if (match[1] !== undefined) names.add(match[1])
    }
  }
  return names
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
  const ref = branchOf(tip.clone)
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
  if (OVERTAKEN.test(result.stderr)) return undefined
  throw failed('fast-import', result.stderr)
}

/** The branch moved, or appeared, before fast-import looked or while it took the lock of the ref. */
const OVERTAKEN =
  /not updating|new tip [0-9a-f]+ does not contain|reference already exists|is at [0-9a-f]+ but expected/i

function failed(command: string, stderr: string): ExternalError {
  return new ExternalError(`git ${command} failed: ${stderr.trim().slice(-300)}`, {
    code: 'git-failed',
    details: { stderr: stderr.slice(-2000) },
  })
}

interface Committed extends Found {
  commit: string
  tip: Tip
}

/** What the commit holds, not what the files hold by now. */
function noteCommit(context: HistoryContext, { commit, tip, changes, refused }: Committed): void {
  const { paths, settings } = context
  const sizes = new Map(tip.sizes)
  for (const { path, content } of changes) {
    if (content === undefined) sizes.delete(path)
    else sizes.set(path, content.length)
  }
  const before = readHistoryNote(paths)
  const others = Object.entries(before.files).filter(([name]) => !name.startsWith(`${tip.clone}-`))
  const files = Object.fromEntries(others)
  for (const [path, size] of sizes) if (path.startsWith('log/')) files[path.slice('log/'.length)] = size
  const temporary = `${historyNotePath(paths)}.${randomId(settings.random.bytes(8), 8)}.tmp`
  const own = tip.clone === context.identity.clone ? commit : before.commit
  const commits = before.commits + (changes.length > 0 ? 1 : 0)
  const missedBefore = (before.refused ?? []).filter((name) => !name.startsWith(`${tip.clone}-`))
  const missed = [...missedBefore, ...refused]
  const note = JSON.stringify({
    commit: own,
    at: settings.now(),
    commits,
    files,
    ...(missed.length > 0 && { refused: missed }),
  })
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
