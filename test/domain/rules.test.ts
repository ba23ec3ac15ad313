import { describe, expect, it } from 'vitest'
import { NAME_POOL, nextAgentName } from '../../src/domain/agent.js'
import { byUrgency } from '../../src/domain/bead.js'
import { findCycle } from '../../src/domain/dependency.js'
import { UsageError } from '../../src/domain/errors.js'
import {
  agentId,
  beadId,
  branchName,
  nearest,
  printable,
  randomId,
  rigName,
  splitAgentId,
} from '../../src/domain/ids.js'
import { nextMerge } from '../../src/domain/merge.js'
import { newLines } from '../../src/domain/new-lines.js'
import { planReport } from '../../src/domain/report.js'
import { aBead, aMerge } from './make.js'

describe('findCycle', () => {
  const graph: Record<string, string[]> = {
    a: ['b', 'x'],
    b: ['c'],
    c: [],
    x: ['c'],
    loop: ['loop2'],
    loop2: ['loop'],
  }
  const blockersOf = (key: string) => graph[key] ?? []

  it('finds none where there is none', () => {
    expect(findCycle('a', 'c', blockersOf)).toBeUndefined()
    expect(findCycle('new', 'a', blockersOf)).toBeUndefined()
    expect(findCycle('a', 'unknown', blockersOf)).toBeUndefined()
  })
  it('gives the circle as a path that begins and ends with the bead', () => {
    expect(findCycle('a', 'a', blockersOf)).toEqual(['a', 'a'])
    expect(findCycle('b', 'a', blockersOf)).toEqual(['b', 'a', 'b'])
    expect(findCycle('c', 'a', blockersOf)).toEqual(['c', 'a', 'b', 'c'])
  })
  it('ends in a store that holds a circle already', () => {
    expect(findCycle('a', 'loop', blockersOf)).toBeUndefined()
  })
  it('does not run out of stack on a chain of ten thousand', () => {
    const chain = (key: string) => (Number(key) < 10_000 ? [String(Number(key) + 1)] : [])
    expect(findCycle('10000', '0', chain)).toHaveLength(10_002)
  })
})

describe('ids', () => {
  it.each(['issue-123', 'A', 'a.b_c-d', '7', 'x'.repeat(64)])('takes the bead id %s', (id) => {
    expect(beadId(id)).toBe(id)
  })
  it.each([
    '',
    '-a',
    'a-',
    '.a',
    'a/b',
    'a b',
    'a..b',
    'a.lock',
    'a;b',
    '$(x)',
    'a\n',
    '\u001b[31m',
    'ä',
    'x'.repeat(65),
    '@{-1}',
  ])('refuses the bead id %j', (id) => {
    expect(() => beadId(id)).toThrow(UsageError)
    try {
      beadId(id)
    } catch (error) {
      expect((error as Error).message).not.toMatch(/[\u0000-\u001f]/)
    }
  })
  it('refuses names of rigs and agents that could be paths, options or formats', () => {
    for (const name of ['', '-x', 'x-', 'X', 'a/b', 'a.b', '..', '#{x}', 'a_b', 'x'.repeat(33)]) {
      expect(() => rigName(name)).toThrow(UsageError)
      expect(() => agentId('proj', name)).toThrow(UsageError)
    }
  })
  it('puts agents and branches together and apart', () => {
    const agent = agentId('proj', 'toast')
    expect(agent).toBe('proj/toast')
    expect(splitAgentId(agent)).toEqual({ rig: 'proj', name: 'toast' })
    expect(branchName(agent, beadId('issue-1'))).toBe('gt/toast/issue-1')
  })
  it('makes ids of the bytes it is given', () => {
    expect(randomId(new Uint8Array([0, 31, 32, 255, 9]), 5)).toBe('0z0z9')
    expect(randomId(new Uint8Array(0), 3)).toBe('000')
  })
  it('makes control characters visible and cuts', () => {
    expect(printable('a\u001b[31m\nb\u009b')).toBe('a\\x1b[31m\\x0ab\\x9b')
    expect(printable('x'.repeat(100), 10)).toBe(`${'x'.repeat(10)}…`)
  })
})

describe('nearest', () => {
  it('suggests typing mistakes and nothing else', () => {
    expect(nearest('prj', ['proj', 'other'])).toBe('proj')
    expect(nearest('TOAST', ['proj/toast', 'toast'])).toBe('toast')
    expect(nearest('issue-132', ['issue-123', 'issue-999'])).toBe('issue-123')
    expect(nearest('zzzzzz', ['proj', 'other'])).toBeUndefined()
    expect(nearest('x', [])).toBeUndefined()
  })
  it('is quick with long hostile input', () => {
    expect(nearest('a'.repeat(100_000), ['proj'])).toBeUndefined()
  })
})

describe('names of agents', () => {
  it('are the first free ones, then numbered, for ever', () => {
    const taken = new Set<string>()
    for (let i = 0; i < NAME_POOL.length * 2 + 1; i++) {
      const name = nextAgentName((candidate) => taken.has(candidate))
      expect(taken.has(name)).toBe(false)
      expect(rigName(name)).toBe(name)
      taken.add(name)
    }
    expect(taken.has('toast-3')).toBe(true)
  })
})

describe('order of work', () => {
  it('is by priority, then by age', () => {
    const beads = [
      aBead({ shownId: 'new', createdAt: '2025-02-01T00:00:00Z' }),
      aBead({ shownId: 'old' }),
      aBead({ shownId: 'urgent', priority: 0, createdAt: '2025-03-01T00:00:00Z' }),
    ]
    expect(beads.sort(byUrgency).map((bead) => bead.shownId)).toEqual(['urgent', 'old', 'new'])
  })
})

describe('nextMerge', () => {
  const alive = (runner: string) => runner === 'lives'
  it('takes the oldest that can go on', () => {
    const merges = [
      aMerge({ id: 'b', createdAt: '2025-01-02' }),
      aMerge({ id: 'a', createdAt: '2025-01-01', status: 'running', runner: 'lives' }),
      aMerge({ id: 'c', createdAt: '2025-01-03' }),
    ]
    expect(nextMerge(merges, alive, new Set())?.id).toBe('b')
    expect(nextMerge(merges, () => false, new Set())?.id).toBe('a')
  })
  it('takes nothing twice in the state it was tried in, nothing that is decided', () => {
    expect(nextMerge([aMerge({ status: 'waiting' })], alive, new Set(['mq-1:1']))).toBeUndefined()
    expect(nextMerge([aMerge({ status: 'waiting', generation: 2 })], alive, new Set(['mq-1:1']))?.id).toBe(
      'mq-1',
    )
    for (const status of ['merged', 'returned', 'rejected'] as const)
      expect(nextMerge([aMerge({ status })], alive, new Set())).toBeUndefined()
  })
})

describe('newLines', () => {
  it('gives what was added at the end', () => {
    expect(newLines(['a', 'b'], ['a', 'b', 'c'])).toEqual(['c'])
    expect(newLines(['a', 'b', 'c'], ['b', 'c', 'd', 'e'])).toEqual(['d', 'e'])
    expect(newLines([], ['a'])).toEqual(['a'])
    expect(newLines(['a'], ['a'])).toEqual([])
  })
  it('gives the changed lines of a redrawn screen', () => {
    expect(newLines(['x', 'y'], ['p', 'y', '', 'q'])).toEqual(['p', 'q'])
  })
  it('gives an empty screen nothing', () => {
    expect(newLines(['x'], [])).toEqual([])
  })
})

describe('planReport', () => {
  const now = '2025-01-01T00:00:00.000Z'
  const plan = (type: string, data = {}) => planReport({ type, data }, now)

  it.each([
    ['session.started', { session: 'ses_1' }, { state: 'idle', conversation: 'ses_1' }],
    ['session.busy', {}, { state: 'working' }],
    ['session.idle', {}, { state: 'idle', reason: null }],
    ['permission.asked', { permission: 'bash' }, { state: 'waiting', reason: 'permission: bash' }],
    [
      'permission.asked',
      { permission: 'bash', child: true },
      { state: 'waiting', reason: 'permission (of a subagent): bash' },
    ],
    ['permission.replied', {}, { state: 'working' }],
    ['question.asked', {}, { state: 'waiting', reason: 'question' }],
    [
      'session.retry',
      { next: Date.parse(now) + 600_000, message: 'quota' },
      { state: 'limited', reason: 'until 2025-01-01T00:10:00.000Z: quota' },
    ],
    [
      'session.retry',
      { next: Date.parse(now) + 1_000, message: 'busy', attempt: 2 },
      { state: 'working', reason: 'retrying (try 2): busy' },
    ],
    [
      'session.retry',
      { next: Date.parse(now) + 1_000, message: '{"error":{"message":"Rate limit\\nreached"}}' },
      {
        state: 'limited',
        reason: 'until 2025-01-01T00:00:01.000Z: Rate limit reached',
        limited_until: '2025-01-01T00:00:01.000Z',
      },
    ],
    ['session.error', { message: 'a\nb' }, { last_error: 'Error: a b' }],
    [
      'session.error',
      { name: 'ContextOverflowError', message: 'too long' },
      {
        state: 'working',
        reason: 'context overflow: the conversation is being compacted',
        last_error: 'context overflow: too long',
      },
    ],
    ['session.compacted', {}, { state: 'working', reason: null }],
    ['session.stalled', { since: 'noon' }, { state: 'stalled', reason: 'nothing has happened since noon' }],
    ['session.idle', { error: { name: 'MessageAbortedError' } }, { state: 'idle', reason: 'interrupted' }],
    [
      'session.idle',
      { error: { name: 'APIError', status: 401, message: 'bad key' } },
      { state: 'broken', reason: 'no access to the model (401): bad key' },
    ],
    [
      'session.idle',
      { error: { name: 'APIError', status: 429, message: 'slow down' } },
      { state: 'broken', reason: 'rate limit (429): slow down' },
    ],
    [
      'session.idle',
      { error: { name: 'APIError', status: 503, message: '' } },
      { state: 'broken', reason: "the model's server failed (503): APIError" },
    ],
    [
      'session.idle',
      { error: { name: 'ContextOverflowError', message: 'x' } },
      { state: 'broken', reason: 'context overflow: x' },
    ],
    ['session.idle', { finish: 'length' }, { state: 'idle', reason: expect.stringContaining('cut off') }],
  ])('%s %j', (type, data, fields) => {
    expect(plan(type, data).fields).toMatchObject(fields)
  })

  it('keeps the time of the report', () => {
    expect(plan('session.idle', { at: '2024-12-31T00:00:00Z' }).fields.state_at).toBe('2024-12-31T00:00:00Z')
    expect(plan('session.idle').fields.state_at).toBe(now)
  })
  it('cuts what is too long for the feed, and leaves unknown types without effect', () => {
    const { data, fields } = plan('made.up', { text: 'x'.repeat(10_000), deep: ['y'.repeat(10_000)], n: 1 })
    expect(fields).toEqual({})
    expect((data.text as string).length).toBe(2_000)
    expect(Object.keys(data)).toEqual(['text', 'n'])
  })
  it.each([Number.MAX_VALUE, 'soon', null, {}])('survives a retry at %j', (next) => {
    expect(() => plan('session.retry', { next, message: 'x' })).not.toThrow()
  })
})
