import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { git } from '../git-process.js'
import { withHistoryLock } from '../history-lock.js'
import type { UpkeepContext } from './compact-store.js'
import { keepPruning, squashTip } from './history-care.js'

/**
 * Throws the old commits of the own branches away, archived ones too, and their objects. Other clones' commits stay: they
 * are theirs. What is still named by what the remote had last goes with the packing of the next days.
 *
 * @returns commits that are gone
 */
export async function forgetHistory(context: UpkeepContext, clones: readonly string[]): Promise<number> {
  const { paths } = context
  return withHistoryLock(join(paths.local, 'history.lock'), async () => {
    const before = (await ask(context, ['rev-list', '--count', '--branches', '--glob=refs/archive/*'])).trim()
    // Objects that exist now and that nothing names at the end are the ones to go; what others make meanwhile stays.
    const existing = new Set(
      await lines(context, ['cat-file', '--batch-all-objects', '--batch-check=%(objectname)']),
    )
    for (const clone of clones) await squashTip(context, clone)
    for (const ref of await lines(context, ['for-each-ref', '--format=%(refname)', 'refs/archive/'])) {
      await ask(context, ['update-ref', '-d', ref])
    }
    rmSync(join(paths.local, 'damaged.git'), { recursive: true, force: true })
    for (const name of ['commit-graph', 'commit-graphs']) {
      rmSync(join(paths.git, 'objects/info', name), { recursive: true, force: true })
    }
    keepPruning(context)
    await ask(context, ['repack', '-a', '-d', '-q'])
    await dropLoose(context, existing)
    const after = (await ask(context, ['rev-list', '--count', '--branches'])).trim()
    return Math.max(0, Number(before) - Number(after))
  })
}

async function dropLoose(context: UpkeepContext, existing: ReadonlySet<string>): Promise<void> {
  const reachable = new Set(
    (await lines(context, ['rev-list', '--objects', '--all'])).map((line) => line.slice(0, 40)),
  )
  const objects = join(context.paths.git, 'objects')
  for (const folder of readdirSync(objects).filter((name) => /^[0-9a-f]{2}$/.test(name))) {
    for (const rest of readdirSync(join(objects, folder))) {
      const id = folder + rest
      if (existing.has(id) && !reachable.has(id)) rmSync(join(objects, folder, rest), { force: true })
    }
  }
}

async function lines(context: UpkeepContext, args: readonly string[]): Promise<string[]> {
  return (await ask(context, args)).split('\n').filter((line) => line !== '')
}

function ask({ paths, settings }: UpkeepContext, args: readonly string[]): Promise<string> {
  return git({ repository: paths.git, env: settings.env, args })
}
