import { describe, expect, it } from 'vitest'
import { fieldValue } from '../../src/store/entity-state.js'
import { EntityTable } from '../../src/store/entity-table.js'
import { applyRecord, type Verdict } from '../../src/store/fold.js'
import type { LogOp } from '../../src/store/record-line.js'
import { type Chain, randomChains } from './support/histories.js'
import { Seeded } from './support/seeded.js'
import { shrink, tryHistory } from './support/trial.js'

const HISTORIES = 300

describe('random histories of 2 to 4 clones with wrong and jumping clocks', () => {
  it('give one state in any order, repeated or compacted, which a plain model says too, and one winner', () => {
    let races = 0
    for (let seed = 1; seed <= HISTORIES; seed++) {
      const result = tryHistory(seed)
      expect(result.failure, `seed ${seed}`).toBeUndefined()
      races += result.races
    }
    expect(races).toBeGreaterThan(500)
  })

  it('are made as small as they can be when they fail', () => {
    const chains = randomChains(new Seeded(1), 60)
    const holdsComment = (some: readonly Chain[]) =>
      some.some(({ records }) => records.some(({ ops }) => JSON.stringify(ops).includes('"say"')))
    const smallest = shrink(chains, holdsComment)
    expect(smallest.map(({ records }) => records.length)).toEqual([1])
  })
})

describe('guarded moves', () => {
  it('makes a record void as a whole when its generation is taken in its chain', () => {
    const fold = new Fold()
    fold.write('aaaa1', '0001', { o: 'new', id: 'x', k: 'bead', f: { status: 'open' } })
    fold.write('aaaa1', '0002', { o: 'new', id: 'toast', k: 'agent', f: {} })
    expect(fold.write('aaaa1', '0003', claim('x', 2, 'nux'))).toBe('applied')
    const loser = fold.write(
      'aaaa1',
      '0004',
      claim('x', 2, 'toast'),
      { o: 'move', id: 'toast', gen: 2, f: { hook: 'x' } },
      { o: 'say', id: 'x', x: 'mine' },
      { o: 'ev', type: 'bead.hooked', data: {} },
    )
    expect(loser).toBe('void')
    expect(fold.value('x', 'assignee')).toBe('nux')
    expect(fold.state('toast')?.gen).toBe(1)
    expect(fold.state('x')?.say).toEqual([])
    expect(fold.table.events).toEqual([])
  })

  it('lets the higher generation win between clones, then closed, then the earliest', () => {
    const fold = new Fold()
    fold.write('aaaa1', '0001', { o: 'new', id: 'x', k: 'bead', f: { status: 'open' } })
    fold.write('aaaa2', '0005', claim('x', 2, 'late'))
    fold.write('aaaa3', '0004', claim('x', 2, 'early'))
    expect(fold.value('x', 'assignee')).toBe('early')
    fold.write('aaaa1', '0009', { o: 'move', id: 'x', gen: 2, f: { status: 'closed', assignee: 'closer' } })
    expect(fold.value('x', 'status')).toBe('closed')
    fold.write('aaaa2', '0006', claim('x', 3, 'next'))
    expect(fold.value('x', 'assignee')).toBe('next')
    expect(fold.state('x')?.gen).toBe(3)
  })

  it('does not let a set change status or assignee, but lets it change other moved fields later', () => {
    const fold = new Fold()
    fold.write('aaaa1', '0001', { o: 'new', id: 'x', k: 'bead', f: { status: 'open' } })
    fold.write('aaaa1', '0003', { o: 'move', id: 'x', gen: 2, f: { status: 'hooked', branch: 'one' } })
    fold.write('aaaa2', '0002', { o: 'set', id: 'x', f: { branch: 'older' } })
    expect(fold.value('x', 'branch')).toBe('one')
    fold.write('aaaa2', '0004', { o: 'set', id: 'x', f: { branch: 'newer', status: 'closed' } })
    expect(fold.value('x', 'branch')).toBe('newer')
    expect(fold.value('x', 'status')).toBe('hooked')
    expect(fold.table.damage.unknownOps).toBe(1)
  })

  it('keeps an entity without its new invisible until it arrives', () => {
    const fold = new Fold()
    fold.write('aaaa2', '0005', claim('x', 2, 'nux'))
    expect(fold.state('x')?.k).toBeUndefined()
    fold.write('aaaa1', '0001', { o: 'new', id: 'x', k: 'bead', f: { status: 'open' } })
    expect(fold.state('x')?.k).toBe('bead')
    expect(fold.value('x', 'assignee')).toBe('nux')
  })

  it('takes a whole record with a new and its first move', () => {
    const fold = new Fold()
    const imported = fold.write(
      'aaaa1',
      '0001',
      { o: 'new', id: 'x', k: 'bead', f: {} },
      claim('x', 2, 'nux'),
    )
    expect(imported).toBe('applied')
    expect(fold.value('x', 'assignee')).toBe('nux')
  })
})

describe('what this version does not know', () => {
  it('is skipped and counted, and the rest of the record counts', () => {
    const fold = new Fold()
    fold.write('aaaa1', '0001', { o: 'new', id: 'x', k: 'bead', f: {} })
    fold.apply('aaaa1', '0002', [
      { o: 'frobnicate', id: 'x' },
      { o: 'set', id: 'x', f: { title: 'T' }, extra: 1 },
      7,
    ])
    expect(fold.value('x', 'title')).toBe('T')
    expect(fold.table.damage.unknownOps).toBe(2)
  })
})

function claim(id: string, gen: number, assignee: string): LogOp {
  return { o: 'move', id, gen, f: { status: 'hooked', assignee } }
}

class Fold {
  readonly table = new EntityTable(undefined, Date.now)

  /** @param at - four digits: minutes and seconds */
  write(clone: string, at: string, ...ops: LogOp[]): Verdict {
    return this.apply(clone, at, ops)
  }

  apply(clone: string, at: string, ops: unknown[]): Verdict {
    const t = `2026-11-20T09:${at.slice(0, 2)}:${at.slice(2)}.000Z-0000-${clone}-aaaaaa`
    return applyRecord(this.table, clone, { t, by: 'test', ops })
  }

  state(id: string) {
    return this.table.overlay.get(id)
  }

  value(id: string, field: string) {
    const state = this.state(id)
    return state === undefined ? undefined : fieldValue(state, field)
  }
}
