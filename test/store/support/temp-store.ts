import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Op } from '../../../src/domain/record.js'
import type { View } from '../../../src/ports/ledger.js'
import { createStore } from '../../../src/store/create-store.js'
import { openLedger, type StoreLedger } from '../../../src/store/open-ledger.js'
import type { StoreOptions } from '../../../src/store/store-options.js'

export interface TempStore extends AsyncDisposable {
  /** The `.beads` directory. */
  dir: string
  clone: string
  log: string
  open(options?: StoreOptions): StoreLedger
}

/** A new store in its own folder. Not flushed to disk unless asked: only power cuts need that. */
export async function tempStore(defaults: StoreOptions = {}): Promise<TempStore> {
  const folder = mkdtempSync(join(tmpdir(), 'gt-store-'))
  const dir = join(folder, '.beads')
  const options: StoreOptions = { sync: 'os', ...defaults }
  const { clone } = await createStore(dir, options)
  const opened: StoreLedger[] = []
  return {
    dir,
    clone,
    log: join(dir, 'log'),
    open(more = {}) {
      const ledger = openLedger(dir, { ...options, ...more })
      opened.push(ledger)
      return ledger
    },
    async [Symbol.asyncDispose]() {
      for (const ledger of opened) ledger.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Writes what `decide` says, as a person would. */
export function transact(ledger: StoreLedger, decide: (view: View) => Op[], by = 'human'): void {
  ledger.transact(by, (view) => ({ ops: decide(view) }))
}
