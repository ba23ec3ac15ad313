import { existsSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { NotFoundError } from '../domain/errors.js'
import type { Rig } from '../domain/rig.js'
import type { Sha, WorktreeState } from '../ports/repositories.js'
import { ABSENT, checkSha, quoted } from './names.js'
import { type GitContext, openRepository } from './repository.js'
import { getWorktree, inWorktree, operationIn } from './worktree-place.js'

export async function worktreeState(
  context: GitContext,
  rig: Rig,
  ask: { path: string; base?: Sha },
): Promise<WorktreeState> {
  const repository = await openRepository(context, rig)
  const place = await getWorktree(repository, ask.path)
  if (!existsSync(place.path)) {
    throw new NotFoundError(`the folder of the worktree is gone: ${place.path}`, {
      code: 'worktree-not-found',
      hint: `git -C ${quoted(repository.top)} worktree list`,
      details: { path: place.path, adminDir: place.adminDir },
    })
  }
  const out = await context.git.run({ ...inWorktree(place), args: STATUS })
  const status = readStatus(out)
  const inProgress = operationIn(place.adminDir)
  const from = ask.base === undefined ? repository.targetRef : checkSha(ask.base)
  return {
    ...(status.branch === undefined ? {} : { branch: status.branch }),
    head: status.head,
    dirty: status.dirty,
    ahead:
      status.head === ABSENT ? 0 : await countCommits(context, inWorktree(place), { from, to: status.head }),
    ...(inProgress === undefined ? {} : { inProgress }),
  }
}

/** Said in full, because status.* settings of the user would hide files. */
const STATUS = [
  'status',
  '--porcelain=v2',
  '--branch',
  '-z',
  '--untracked-files=normal',
  '--ignore-submodules=none',
  '--no-renames',
]

/** @returns the entries of porcelain v2 in the shape of v1: `XY path` */
export function readStatus(out: string): { branch?: string; head: Sha; dirty: string[] } {
  const dirty: string[] = []
  let head = ABSENT
  let branch: string | undefined
  for (const entry of out.split('\0')) {
    if (entry.startsWith('# branch.oid ') && !entry.endsWith('(initial)'))
      head = entry.slice('# branch.oid '.length)
    else if (entry.startsWith('# branch.head ') && !entry.endsWith('(detached)'))
      branch = entry.slice('# branch.head '.length)
    else if (entry.startsWith('? ')) dirty.push(`?? ${entry.slice(2)}`)
    else if (/^[12u] /.test(entry)) {
      const fieldsBeforePath = entry.startsWith('u') ? 10 : 8
      const path = entry.split(' ').slice(fieldsBeforePath).join(' ')
      dirty.push(`${entry.slice(2, 4).replaceAll('.', ' ')} ${path}`)
    }
  }
  return { ...(branch === undefined ? {} : { branch }), head, dirty }
}

async function countCommits(
  context: GitContext,
  place: { cwd: string; env?: Record<string, string> },
  range: { from: string; to: string },
): Promise<number> {
  const result = await context.git.attempt({
    ...place,
    args: ['rev-list', '--count', range.to, '--not', range.from, '--'],
  })
  // The target may not exist here yet: then every commit is on top of it.
  if (result.exitCode === 0) return Number(result.stdout)
  return Number(await context.git.run({ ...place, args: ['rev-list', '--count', range.to, '--'] }))
}

/** Lines of one untracked file are counted up to this size; more is not something a person wrote. */
const COUNTED_BYTES = 1_000_000
const COUNTED_FILES = 200

/** Untracked files count as added: an agent commits late, and its work should be seen growing. */
export async function diffStat(
  context: GitContext,
  path: string,
  base: Sha,
): Promise<{ added: number; removed: number; commits: number }> {
  checkSha(base)
  if (!existsSync(join(path, '.git'))) {
    throw new NotFoundError(`there is no worktree at ${path}`, {
      code: 'worktree-not-found',
      details: { path },
    })
  }
  const place = { cwd: path }
  const out = await context.git.run({
    ...place,
    args: [
      'diff',
      '--numstat',
      '-z',
      '--no-renames',
      '--no-ext-diff',
      '--no-textconv',
      '--ignore-submodules=dirty',
      base,
      '--',
    ],
  })
  let added = await countUntracked(context, path)
  let removed = 0
  for (const line of out.split('\0')) {
    // A dash stands for a binary file.
    const [plus, minus] = line.split('\t')
    added += Number.parseInt(plus ?? '', 10) || 0
    removed += Number.parseInt(minus ?? '', 10) || 0
  }
  return { added, removed, commits: await countCommits(context, place, { from: base, to: 'HEAD' }) }
}

async function countUntracked(context: GitContext, path: string): Promise<number> {
  const out = await context.git.run({
    cwd: path,
    args: ['ls-files', '--others', '--exclude-standard', '-z', '--', ':/'],
  })
  const names = out.split('\0').filter((name) => name !== '' && !name.endsWith('/'))
  const counts = await Promise.all(names.slice(0, COUNTED_FILES).map((name) => countLines(join(path, name))))
  return counts.reduce((sum, lines) => sum + lines, 0)
}

async function countLines(file: string): Promise<number> {
  const facts = await stat(file).catch(() => undefined)
  if (facts === undefined || !facts.isFile() || facts.size > COUNTED_BYTES) return 0
  const bytes = await readFile(file).catch(() => Buffer.alloc(0))
  // Git's own test for a binary file.
  if (bytes.subarray(0, 8000).includes(0)) return 0
  const newlines = bytes.reduce((sum, byte) => sum + (byte === 10 ? 1 : 0), 0)
  return bytes.length > 0 && bytes.at(-1) !== 10 ? newlines + 1 : newlines
}
