import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { createStore } from '../../src/store/create-store.js'
import { storePaths } from '../../src/store/layout.js'
import { LogState } from '../../src/store/log-state.js'
import { openLedger, type StoreLedger } from '../../src/store/open-ledger.js'
import { type Dump, dumpStore, dumpTable } from '../store/support/dump.js'
import type { Tally } from './phase.js'

export interface TortureStore {
  /** The `.beads` directory. */
  dir: string
  log: string
  /** Empty when not known. */
  clone: string
  /** A reader that is there from the beginning. */
  warm: LogState
}

export async function makeStore(folder: string, name: string): Promise<TortureStore> {
  const dir = join(folder, name)
  mkdirSync(folder, { recursive: true })
  const { clone } = await createStore(dir, { sync: 'os' })
  return { ...storeIn(dir), clone }
}

/** A store that is there already. */
export function storeIn(dir: string): TortureStore {
  return { dir, clone: '', log: join(dir, 'log'), warm: new LogState(storePaths(dir), Date.now) }
}

/** Runs `work` with a ledger of its own, closed afterwards. */
export function withLedger<T>(dir: string, work: (ledger: StoreLedger) => T): T {
  const ledger = openLedger(dir, { sync: 'os' })
  try {
    return work(ledger)
  } finally {
    ledger.close()
  }
}

/** All ways of reading must agree: from the log alone, with the snapshot, and a reader that followed along. */
export function expectOneReading(tally: Tally, store: TortureStore, what: string): Dump {
  const truth = dumpStore(store.dir, 'log only')
  // Torn lines apart: how many a reader met depends on when it looked, and compaction takes them away.
  const { damage: _, ...records } = truth
  const { damage: __, ...cached } = dumpStore(store.dir, 'with snapshot')
  tally.expectEqual(cached, records, `${what}: read with the snapshot`)
  store.warm.refresh()
  tally.expectEqual(dumpTable(store.warm.table), records, `${what}: read by a long-lived process`)
  return truth
}

export function segmentCount(store: TortureStore): number {
  return readdirSync(store.log).length
}
