import { describe, expect, it } from 'vitest'
import type { AgentId, BeadId } from '../../src/domain/ids.js'
import { MAX_REVIVALS, type Pool, type PoolMember, planPool } from '../../src/domain/pool.js'

const POOL: Pool = {
  id: 'pl-1',
  shownId: 'pl-1',
  generation: 1,
  rig: 'proj',
  size: 2,
  status: 'open',
  queue: [],
  createdAt: '',
}

function member(name: string, over: Partial<PoolMember> = {}): PoolMember {
  return {
    agent: `proj/${name}` as AgentId,
    bead: `b-${name}` as BeadId,
    isHandedIn: false,
    liveness: 'running',
    isStoppedByPerson: false,
    isBeingSlung: false,
    revivals: 0,
    ...over,
  }
}

describe('what a pool would do', () => {
  it('fills the free places only, most urgent first', () => {
    expect(planPool(POOL, [member('a')], ['x', 'y', 'z'])).toEqual([{ kind: 'give', bead: 'x' }])
    expect(planPool(POOL, [member('a'), member('b'), member('c')], ['x'])).toEqual([])
  })

  it('starts a dead agent again, and takes the bead back after too many deaths', () => {
    const dead = member('a', { liveness: 'stopped' })
    expect(planPool(POOL, [dead], [])).toEqual([{ kind: 'revive', agent: 'proj/a' }])
    expect(planPool(POOL, [{ ...dead, revivals: MAX_REVIVALS }], [])).toEqual([
      { kind: 'take-back', agent: 'proj/a', bead: 'b-a' },
    ])
  })

  it.each([
    ['what could not be asked', { liveness: 'unknown' as const }],
    ['what a person stopped', { liveness: 'stopped' as const, isStoppedByPerson: true }],
    ['what is handed in', { liveness: 'stopped' as const, isHandedIn: true }],
    ['what is being slung', { liveness: 'stopped' as const, isBeingSlung: true }],
  ])('leaves alone %s, and its place stays taken', (_what, over) => {
    expect(planPool({ ...POOL, size: 1 }, [member('a', over)], ['x'])).toEqual([])
  })

  it('does nothing when it is stopped', () => {
    expect(planPool({ ...POOL, status: 'stopped' }, [], ['x'])).toEqual([])
  })
})
