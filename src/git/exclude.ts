import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { lstat, mkdir, readFile, readlink, realpath, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { UsageError } from '../domain/errors.js'
import type { Rig } from '../domain/rig.js'
import { writeAtomically } from '../system/atomic-write.js'
import { shortHash } from './names.js'
import { type GitContext, openRepository } from './repository.js'

const BEGIN = '# gt: begin'
const END = '# gt: end'
/** Says that the line before the block had no newline of its own, so that taking the block out restores it exactly. */
const JOINED = '# gt: the newline before this block is not yours'

export async function excludePatterns(
  context: GitContext,
  rig: Rig,
  patterns: readonly string[],
): Promise<void> {
  const bad = patterns.find((pattern) => /[\r\n\0]/.test(pattern))
  if (bad !== undefined) {
    throw new UsageError('a pattern to exclude must be one line', {
      code: 'bad-pattern',
      details: { pattern: bad },
    })
  }
  // Agents of other runtimes, and other towns on the same clone, rely on what they put there.
  await rewrite(context, rig, (text) =>
    withBlock(withoutBlock(text), [...new Set([...patternsOf(text), ...patterns])]),
  )
}

export async function unexcludePatterns(context: GitContext, rig: Rig): Promise<void> {
  await rewrite(context, rig, withoutBlock)
}

/** Bytes are kept as they are, in whatever encoding, so the text is read as latin1. */
async function rewrite(context: GitContext, rig: Rig, change: (text: string) => string): Promise<void> {
  const { gitDir } = await openRepository(context, rig)
  await context.lock(`exclude-${shortHash(gitDir)}`, async () => {
    const path = await throughLinks(join(gitDir, 'info', 'exclude'))
    const exists = existsSync(path)
    const before = exists ? await readFile(path, 'latin1') : ''
    const after = change(before)
    if (after === before) return
    await mkdir(dirname(path), { recursive: true })
    const mode = exists ? (await stat(path)).mode & 0o7777 : 0o644
    const temporary = `${path}.gt-${randomBytes(6).toString('hex')}`
    writeAtomically(path, Buffer.from(after, 'latin1'), { temporary, mode })
  })
}

/** A symbolic link stays one: the file it leads to is written, even when that does not exist yet. */
async function throughLinks(path: string): Promise<string> {
  const facts = await lstat(path).catch(() => undefined)
  if (!facts?.isSymbolicLink()) return path
  return realpath(path).catch(async () => throughLinks(resolve(dirname(path), await readlink(path))))
}

function withBlock(text: string, patterns: readonly string[]): string {
  if (patterns.length === 0) return text
  const isJoined = text !== '' && !text.endsWith('\n')
  const lines = [
    BEGIN,
    ...(isJoined ? [JOINED] : []),
    ...patterns.map((pattern) => Buffer.from(pattern).toString('latin1')),
    END,
  ]
  return `${text}${isJoined ? '\n' : ''}${lines.join('\n')}\n`
}

/** The patterns of our block as it stands. */
function patternsOf(text: string): string[] {
  const block = /^# gt: begin\r?\n([\s\S]*?)^# gt: end/m.exec(text)?.[1] ?? ''
  const lines = block.split(/\r?\n/).filter((line) => line !== '' && !line.startsWith('#'))
  return lines.map((line) => Buffer.from(line, 'latin1').toString())
}

/** A block without its end was edited by hand: only the line that begins it is ours for certain. */
export function withoutBlock(text: string): string {
  const whole = /^# gt: begin\r?\n(?:(?!# gt: begin)[^\n]*\n)*?# gt: end(?:\r?\n|$)/m.exec(text)
  const found = whole ?? /^# gt: begin\r?(?:\n|$)/m.exec(text)
  if (found === null) return text
  const isJoined = found[0].includes(JOINED)
  const before = text.slice(0, found.index)
  return withoutBlock(
    (isJoined ? before.replace(/\n$/, '') : before) + text.slice(found.index + found[0].length),
  )
}
