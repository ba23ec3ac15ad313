import type { Town } from '../../src/app/town.js'
import type { StoreLedger } from '../../src/store/open-ledger.js'

/** As much of a town as use cases need that only read and write the store. */
export function storeTown(ledger: StoreLedger, more: Partial<Town> = {}): Town {
  const parts: Partial<Town> = {
    ledger,
    actor: 'human' as Town['actor'],
    clock: { now: () => Date.now(), sleep: async () => {} },
    step: () => {},
    ...more,
  }
  return parts as Town
}
