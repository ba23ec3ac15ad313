import { describe, expect, it } from 'vitest'
import { MAX_LEAD_MS } from '../../src/store/stamp.js'
import { tempStore, transact } from './support/temp-store.js'

const TODAY = Date.parse('2026-11-20T09:00:00.000Z')
const FAR_FUTURE = Date.parse('2099-01-01T00:00:00.000Z')

describe('a clock that was set to 2099 and back', () => {
  for (const reader of ['the same process', 'a new process', 'a new process with the snapshot'] as const) {
    it(`leaves what ${reader} says in the order it was said`, async () => {
      const clock = { ms: TODAY }
      await using store = await tempStore({ clock: { now: () => clock.ms } })
      const ledger = store.open()
      const say = (on: typeof ledger, x: string) => transact(on, () => [{ o: 'say', id: 'x', x }])
      transact(ledger, () => [{ o: 'new', id: 'x', k: 'bead', f: {} }])
      say(ledger, 'before')
      clock.ms = FAR_FUTURE
      say(ledger, 'far ahead')
      if (reader === 'a new process with the snapshot') ledger.compactCache(true)
      clock.ms = TODAY + 5
      const later = reader === 'the same process' ? ledger : store.open()
      // All within one millisecond: only the counter of the stamp keeps them apart.
      const words = Array.from({ length: 20 }, (_, i) => `word ${i}`)
      for (const word of words) say(later, word)
      const texts = later
        .read()
        .comments('x')
        .map(({ text }) => text)
      expect(texts).toEqual(['before', ...words, 'far ahead'])
    })
  }

  it('does not pull along the stamps that follow', async () => {
    const clock = { ms: TODAY }
    await using store = await tempStore({ clock: { now: () => clock.ms } })
    const ledger = store.open()
    transact(ledger, () => [{ o: 'new', id: 'x', k: 'bead', f: { title: 'a' } }])
    clock.ms = FAR_FUTURE
    transact(ledger, () => [{ o: 'set', id: 'x', f: { title: 'from the future' } }])
    clock.ms = TODAY + 1000
    transact(ledger, () => [{ o: 'new', id: 'y', k: 'bead', f: {} }])
    expect(Date.parse(ledger.read().get('y')?.createdAt ?? '') - clock.ms).toBeLessThanOrEqual(MAX_LEAD_MS)
    // What was written then can still be changed now.
    transact(ledger, () => [{ o: 'set', id: 'x', f: { title: 'today' } }])
    expect(store.open().read().get('x')?.fields.title).toBe('today')
  })
})
