import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { openUpkeep } from '../../../src/store/open-upkeep.js'
import type { Tally } from '../phase.js'
import type { TortureStore } from '../store.js'
import type { Said } from '../workers/victim.js'

/** Folders of a store that hold what was written, in plain. */
const PLAIN = ['log', 'blob', 'cache', 'local']
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
  // Of a purge that was killed.
  await openUpkeep(store.dir).finishPurges()
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

function allObjects({ dir }: TortureStore): Buffer {
  const args = ['--git-dir', join(dir, '.git'), 'cat-file', '--batch-all-objects', '--batch']
  return execFileSync('git', args, { maxBuffer: HISTORY_BYTES, stdio: ['ignore', 'pipe', 'ignore'] })
}
