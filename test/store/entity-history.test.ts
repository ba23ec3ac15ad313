import { describe, expect, it } from 'vitest'
import { entityHistory } from '../../src/store/entity-history.js'
import { storePaths } from '../../src/store/layout.js'
import { tempStore, transact } from './support/temp-store.js'

describe('the history of an entity whose log is not compacted yet', () => {
  it('does not show what was purged, and shows what came later', async () => {
    await using store = await tempStore()
    const ledger = store.open()
    const f = { status: 'open', title: 'a title', notes: 'the key is hunter2' }
    transact(ledger, () => [{ o: 'new', id: 'x', k: 'bead', f }])
    transact(ledger, () => [{ o: 'say', id: 'x', x: 'again: hunter2' }])
    const [comment] = ledger.read().comments('x')
    transact(ledger, () => [
      { o: 'purge', id: 'x', what: 'f:notes' },
      { o: 'purge', id: 'x', what: `c:${comment?.id ?? ''}` },
    ])
    transact(ledger, () => [{ o: 'set', id: 'x', f: { notes: 'harmless' } }])
    const shown = JSON.stringify(entityHistory(storePaths(store.dir), 'x', Date.now))
    expect(shown).not.toContain('hunter2')
    for (const kept of ['a title', 'harmless', '(purged)']) expect(shown).toContain(kept)

    transact(ledger, () => [{ o: 'purge', id: 'x', what: '*' }])
    const after = JSON.stringify(entityHistory(storePaths(store.dir), 'x', Date.now))
    for (const gone of ['a title', 'harmless']) expect(after).not.toContain(gone)
    expect(after).toContain('open')
  })
})
