import { describe, expect, it } from 'vitest'
import { assignShown, freeLength, groupOf } from '../../src/store/shown-ids.js'
import { writeChain } from './support/chain-files.js'
import { tempStore, transact } from './support/temp-store.js'

describe('shown ids', () => {
  it('keeps the short form for the earlier birth and lengthens the later one', () => {
    const later = { id: 'proj-4k7q2aaaaaa', a: 5, born: '2' }
    const earlier = { id: 'proj-4k7q2bbbbbb', a: 5, born: '1' }
    const shown = new Map([
      ['proj-4k7q2bbbbbb', 'proj-4k7q2'],
      ['proj-4k7q2aaaaaa', 'proj-4k7q2a'],
    ])
    expect(assignShown([later, earlier])).toEqual(shown)
    expect(assignShown([earlier, later])).toEqual(shown)
  })

  it('leaves a short form to a key that reads exactly so', () => {
    const given = { id: 'proj-4k7q2', born: '9' }
    expect(assignShown([{ id: 'proj-4k7q2aaaaaa', a: 5, born: '1' }, given]).get('proj-4k7q2aaaaaa')).toBe(
      'proj-4k7q2a',
    )
  })

  it('finds all keys that could be shown alike in one group', () => {
    expect(groupOf('my-proj-4k7q2aaaaaa')).toBe('my-proj-4k7q2')
    expect(groupOf('my-proj-4k7q2')).toBe('my-proj-4k7q2')
    expect(groupOf('issue-123')).toBe('issue-123')
    expect(freeLength('proj-4k7q2aaaaaa', 5, new Set(['proj-4k7q2', 'proj-4k7q2a']))).toBe(7)
  })

  it('is the same from the log, over a snapshot, and after a late older birth', async () => {
    await using store = await tempStore()
    const ledger = store.open({ clock: { now: () => Date.parse('2026-11-20T10:00:00.000Z') } })
    const create = (id: string) =>
      transact(ledger, (view) => [{ o: 'new', id, k: 'bead', a: view.shownLength(id), f: { title: id } }])
    create('proj-4k7q2aaaaaa')
    expect(ledger.read().shownLength('proj-4k7q2bbbbbb')).toBe(6)
    create('proj-4k7q2bbbbbb')
    ledger.compactCache(true)
    const fresh = () => store.open().read()
    expect(fresh().get('proj-4k7q2bbbbbb')?.shownId).toBe('proj-4k7q2b')
    expect(fresh().shownLength('proj-4k7q2bcbbbb')).toBe(7)
    expect(fresh().shownLength('proj-zzzzzbcbbbb')).toBe(5)
    expect(fresh().resolve('bead', 'proj-4k7q2')).toMatchObject({
      kind: 'found',
      entity: { id: 'proj-4k7q2aaaaaa' },
    })

    // Another clone made one an hour earlier; it keeps the short form, ours grows by one.
    writeChain(store.log, 'zzzzz', 1, [
      ['2026-11-20T09:00:00.000Z', { o: 'new', id: 'proj-4k7q2cccccc', k: 'bead', a: 5, f: {} }],
    ])
    for (const view of [fresh(), ledger.read()]) {
      expect(view.get('proj-4k7q2cccccc')?.shownId).toBe('proj-4k7q2')
      expect(view.get('proj-4k7q2aaaaaa')?.shownId).toBe('proj-4k7q2a')
      expect(view.get('proj-4k7q2bbbbbb')?.shownId).toBe('proj-4k7q2b')
    }
  })
})
