import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { GtError } from '../../../src/domain/errors.js'
import { openUpkeep } from '../../../src/store/open-upkeep.js'
import { soon } from '../crew.js'
import type { Tally } from '../phase.js'
import type { TortureStore } from '../store.js'
import type { Said } from '../workers/victim.js'

/** Folders of a store that hold what was written, in plain. */
const PLAIN = ['log', 'blob', 'cache', 'local']
const LOCKS_OF_THE_DEAD_MS = 90_000
const HISTORY_BYTES = 1024 * 1024 * 1024

/** What a process was told is destroyed must be found in no file and no object of the history. */
export async function expectPurged(
  tally: Tally,
  store: TortureStore,
  said: readonly Said[],
  what: string,
): Promise<void> {
  const secrets = said.flatMap((one) => (one.kind === 'purged' ? [one.secret] : []))
  if (secrets.length === 0) return
  await finishPurges(store)
  const texts = new Map<string, Buffer>([['.git', allObjects(store)]])
  for (const folder of PLAIN) {
    for (const entry of readdirSync(join(store.dir, folder), { withFileTypes: true, recursive: true })) {
      const path = join(entry.parentPath, entry.name)
      if (entry.isFile()) texts.set(path, readFileSync(path))
    }
  }
  for (const secret of secrets) {
    tally.count('secrets purged')
    const where = [...texts].filter(([, text]) => text.includes(secret)).map(([path]) => path)
    tally.expect(
      where.length === 0,
      () => `${what}: ${secret} was purged and is still in ${where.join(', ')}`,
    )
  }
}

/** Of processes that were killed. A lock that one of them left with git is nobody's after a minute. */
async function finishPurges(store: TortureStore): Promise<void> {
  const deadline = performance.now() + LOCKS_OF_THE_DEAD_MS
  for (;;) {
    try {
      await openUpkeep(store.dir).finishPurges()
      return
    } catch (error) {
      if (!(error instanceof GtError) || performance.now() > deadline) throw error
      await soon(2000)
    }
  }
}

function allObjects({ dir }: TortureStore): Buffer {
  const args = ['--git-dir', join(dir, '.git'), 'cat-file', '--batch-all-objects', '--batch']
  return execFileSync('git', args, { maxBuffer: HISTORY_BYTES, stdio: ['ignore', 'pipe', 'ignore'] })
}
