import { readFileSync } from 'node:fs'
import { mkdtemp, rm, rmdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Sha } from '../ports/repositories.js'
import { type Checkout, insideCheckout } from './checkouts.js'
import { factsOf } from './facts-of.js'
import type { LandingIntent } from './landing-intent.js'
import type { GitContext } from './repository.js'

/**
 * Gives the files that a landing changed their old content. Only files that hold exactly what the landing wrote (or a
 * beginning of it, when it was killed while writing) are touched, and none that the user staged since.
 */
export async function takeBack(
  context: GitContext,
  checkout: Checkout,
  intent: LandingIntent,
): Promise<void> {
  const place = insideCheckout(checkout)
  const folder = await mkdtemp(join(context.lockDir, 'undo-'))
  try {
    const changed = names(
      await context.git.run({
        ...place,
        args: ['diff-tree', '-r', '-z', '--name-only', '--no-renames', intent.from, intent.to],
      }),
    )
    const theirs = await ownedByUser(context, checkout, intent.from)
    const old = await compare(context, checkout, { commit: intent.from, index: join(folder, 'old') })
    const next = await compare(context, checkout, { commit: intent.to, index: join(folder, 'next') })
    const restored: string[] = []
    for (const path of changed.filter((name) => !theirs.has(name) && !old.holds(name))) {
      const isOurs =
        next.holds(path) ||
        (next.has(path) && (await isBeginning(context, checkout, { path, commit: intent.to })))
      if (isOurs) restored.push(path)
    }
    await removeAll(checkout.path, restored)
    // A folder that still stands holds files of the user.
    const back = restored.filter((path) => old.has(path) && !isFolder(checkout.path, path))
    const env = { ...place.env, GIT_INDEX_FILE: join(folder, 'old') }
    if (back.length > 0) {
      await context.git.run({
        cwd: place.cwd,
        env,
        args: ['checkout-index', '--force', '-z', '--stdin'],
        input: `${back.join('\0')}\0`,
      })
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Staged differently than before the landing, or kept out of the working tree on purpose (sparse checkout). */
async function ownedByUser(context: GitContext, checkout: Checkout, from: Sha): Promise<Set<string>> {
  const place = insideCheckout(checkout)
  const staged = await context.git.run({
    ...place,
    args: ['diff-index', '--cached', '--name-only', '-z', '--no-renames', from, '--'],
  })
  const tags = names(await context.git.run({ ...place, args: ['ls-files', '-v', '-z'] }))
  const skipped = tags.filter((line) => /^[Ss] /.test(line)).map((line) => line.slice(2))
  return new Set([...names(staged), ...skipped])
}

interface Comparison {
  /** The commit has this path. */
  has(path: string): boolean
  /** The file on disk is as in the commit; absent when the commit has none. */
  holds(path: string): boolean
}

async function compare(
  context: GitContext,
  checkout: Checkout,
  against: { commit: Sha; index: string },
): Promise<Comparison> {
  const place = insideCheckout(checkout)
  const staging = { cwd: place.cwd, env: { ...place.env, GIT_INDEX_FILE: against.index } }
  await context.git.run({ ...staging, args: ['read-tree', against.commit] })
  await context.git.attempt({ ...staging, args: ['update-index', '-q', '--refresh', '--ignore-submodules'] })
  const differs = new Set(
    names(
      await context.git.run({
        ...staging,
        args: ['diff-files', '--name-only', '-z', '--ignore-submodules=all'],
      }),
    ),
  )
  const known = new Set(names(await context.git.run({ ...staging, args: ['ls-files', '-z'] })))
  // A folder is no file either.
  const isAbsent = (path: string) => factsOf(join(checkout.path, path))?.isDirectory() ?? true
  return {
    has: (path) => known.has(path),
    holds: (path) => (known.has(path) ? !differs.has(path) : isAbsent(path)),
  }
}

async function isBeginning(
  context: GitContext,
  checkout: Checkout,
  file: { path: string; commit: Sha },
): Promise<boolean> {
  const facts = factsOf(join(checkout.path, file.path))
  // Git unlinks a file before it writes the new one.
  if (facts === undefined) return true
  if (!facts.isFile()) return false
  const args = ['cat-file', '--filters', `${file.commit}:${file.path}`]
  const whole = Buffer.from(await context.git.run({ ...insideCheckout(checkout), args }))
  const found = readFileSync(join(checkout.path, file.path))
  return found.length < whole.length && whole.subarray(0, found.length).equals(found)
}

/** New files go, with the folders that held nothing else. The deepest go first: a folder may stand where a file was. */
async function removeAll(root: string, paths: readonly string[]): Promise<void> {
  for (const path of [...paths].sort().reverse()) {
    if (!isFolder(root, path)) await rm(join(root, path), { force: true })
    for (let folder = isFolder(root, path) ? path : dirname(path); folder !== '.'; folder = dirname(folder)) {
      const isEmptied = await rmdir(join(root, folder)).then(
        () => true,
        () => false,
      )
      if (!isEmptied) break
    }
  }
}

function isFolder(root: string, path: string): boolean {
  return factsOf(join(root, path))?.isDirectory() ?? false
}

function names(out: string): string[] {
  return out.split('\0').filter((name) => name !== '')
}
