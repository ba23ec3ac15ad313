import { describe, expect, it } from 'vitest'
import { judge } from '../../src/domain/awaited.js'
import { type RecordedSession, reconcile, type Seen } from '../../src/domain/reconcile.js'

const RECORD: RecordedSession = {
  agent: 'proj/toast',
  session: 's-1',
  backend: 'tmux',
  reported: 'working',
  isBeingSlung: false,
}

const seen = (it: Seen) => new Map([['proj/toast', it]])
const kinds = (...args: Parameters<typeof reconcile>) => reconcile(...args).map(({ kind }) => kind)

describe('records beside reality', () => {
  it('agree on what runs and on what has ended', () => {
    expect(kinds([RECORD], seen({ kind: 'running' }), undefined)).toEqual(['ok'])
    expect(kinds([{ ...RECORD, reported: 'stopped' }], new Map(), undefined)).toEqual(['ok'])
    expect(kinds([{ ...RECORD, isBeingSlung: true }], new Map(), undefined)).toEqual(['ok'])
  })

  it('differ on what is proven gone, on what should not run, and on strangers', () => {
    expect(kinds([RECORD], seen({ kind: 'stopped', why: 'exited with 1' }), undefined)).toEqual(['lost'])
    expect(kinds([RECORD], new Map(), undefined)).toEqual(['lost'])
    expect(kinds([{ ...RECORD, reported: 'done' }], seen({ kind: 'running' }), undefined)).toEqual([
      'survivor',
    ])
    expect(kinds([], seen({ kind: 'running' }), undefined)).toEqual(['unrecorded'])
  })

  it('say nothing about what could not be asked', () => {
    expect(kinds([RECORD], new Map(), 'tmux did not answer')).toEqual(['unknown'])
    expect(kinds([RECORD], seen({ kind: 'unknown', why: 'silent' }), undefined)).toEqual(['unknown'])
  })
})

describe('waiting', () => {
  const agent = { kind: 'agent', id: 'a', states: ['idle'] } as const
  const bead = { kind: 'bead', id: 'b', statuses: ['closed'] } as const
  it.each([
    [agent, 'idle', 'reached'],
    [agent, 'working', 'pending'],
    [agent, 'unknown', 'pending'],
    [agent, 'failed', 'hopeless'],
    [bead, 'closed', 'reached'],
    [bead, 'open', 'pending'],
    [bead, 'failed', 'hopeless'],
  ] as const)('for %o, which is %s: %s', (awaited, state, verdict) => {
    expect(judge(awaited, { id: 'x', state, detail: '' })).toBe(verdict)
  })
})
