import { describe, expect, it } from 'vitest'
import { deriveState, type StateMaterial } from '../../src/domain/agent-state.js'
import { AGENT_STATES, STATE_GLYPHS } from '../../src/domain/session.js'
import { aBead, anAgent, aSession } from './make.js'

const heard = (reported: Parameters<typeof aSession>[0] = {}) =>
  aSession({ heardAt: '2025-01-01T00:00:00Z', ...reported })
const running = { kind: 'running', pid: 7 } as const
const absent = { kind: 'absent' } as const
const { hook: _, ...rest } = anAgent()
const free = rest

const table: [string, Partial<StateMaterial>, string, RegExp][] = [
  // Could not ask is never "not running", whatever is recorded.
  [
    'backend silent',
    { observed: { kind: 'unknown', why: 'no answer' }, session: heard({ reported: 'done' }) },
    'unknown',
    /no answer/,
  ],
  [
    'backend silent while slung',
    { observed: { kind: 'unknown', why: 'x' }, slingerAlive: true },
    'unknown',
    /x/,
  ],
  ['being slung', { observed: absent, slingerAlive: true }, 'starting', /being slung/],
  ['runs, never heard, no screen facts', { observed: running, session: aSession() }, 'starting', /not heard/],
  [
    'runs without hooks, screen moves',
    { observed: { ...running, screenBusy: true }, session: aSession() },
    'working',
    /changes/,
  ],
  [
    'runs without hooks, screen still',
    { observed: { ...running, screenBusy: false }, session: aSession() },
    'idle',
    /still/,
  ],
  ['heard: working', { observed: running, session: heard({ reported: 'working' }) }, 'working', /^$/],
  ['heard: idle', { observed: running, session: heard({ reported: 'idle' }) }, 'idle', /^$/],
  [
    'heard: waiting',
    { observed: running, session: heard({ reported: 'waiting', reason: 'permission: bash' }) },
    'waiting',
    /permission: bash/,
  ],
  [
    'heard: waiting without reason',
    { observed: running, session: heard({ reported: 'waiting' }) },
    'waiting',
    /other/,
  ],
  [
    'heard: limited',
    { observed: running, session: heard({ reported: 'limited', reason: 'until x' }) },
    'limited',
    /until x/,
  ],
  ['heard: starting', { observed: running, session: heard() }, 'starting', /^$/],
  [
    'recorded as done, but it runs',
    { observed: running, session: heard({ reported: 'done' }) },
    'idle',
    /recorded as done, but it runs/,
  ],
  [
    'recorded as stopped, but it runs',
    { observed: running, session: heard({ reported: 'stopped' }) },
    'idle',
    /but it runs/,
  ],
  ['runs without a record', { observed: running }, 'unknown', /no record knows/],
  [
    'sling interrupted',
    { agent: anAgent({ slinger: '1:2' }), observed: absent, slingerAlive: false, bead: aBead() },
    'failed',
    /gt sling issue-1 finishes it/,
  ],
  [
    'sling interrupted, but the session runs',
    { agent: anAgent({ slinger: '1:2' }), observed: running, slingerAlive: false, session: aSession() },
    'starting',
    /./,
  ],
  ['done', { agent: free, observed: absent, session: heard({ reported: 'done' }) }, 'done', /^$/],
  [
    'stopped by a person',
    { observed: absent, session: heard({ reported: 'stopped', reason: 'by you' }) },
    'stopped',
    /by you/,
  ],
  ['never had a session', { agent: free, observed: absent }, 'stopped', /^$/],
  [
    'free, its session gone',
    { agent: free, observed: absent, session: heard({ reported: 'idle' }) },
    'done',
    /^$/,
  ],
  [
    'session vanished',
    { observed: absent, session: heard({ reported: 'working' }), bead: aBead() },
    'failed',
    /vanished; gt agent resume proj\/toast/,
  ],
  [
    'exited',
    { observed: { kind: 'stopped', exitCode: 3, why: 'w' }, session: heard({ reported: 'working' }) },
    'failed',
    /exited with 3; gt agent resume/,
  ],
  [
    'killed',
    { observed: { kind: 'stopped', signal: 'SIGKILL', why: 'w' }, session: heard({ reported: 'working' }) },
    'failed',
    /killed by SIGKILL/,
  ],
  [
    'ended somehow',
    { observed: { kind: 'stopped', why: 'its terminal closed' }, session: heard({ reported: 'working' }) },
    'failed',
    /its terminal closed/,
  ],
  [
    'ended with its work handed in',
    { observed: absent, session: heard({ reported: 'working' }), bead: aBead({ status: 'in_review' }) },
    'failed',
    /its work is in the merge queue/,
  ],
]

describe('deriveState', () => {
  it.each(table)('%s', (_name, material, state, detail) => {
    const derived = deriveState({ agent: anAgent(), observed: absent, ...material })
    expect(derived.state).toBe(state)
    expect(derived.detail).toMatch(detail)
  })

  it('has a glyph with and without Unicode for each state', () => {
    for (const state of AGENT_STATES) {
      const [unicode, ascii] = STATE_GLYPHS[state]
      expect(unicode.length).toBe(1)
      expect(ascii).toMatch(/^[ -~]$/)
    }
    // Shape carries the meaning.
    expect(new Set(AGENT_STATES.map((state) => STATE_GLYPHS[state][0])).size).toBe(AGENT_STATES.length)
  })
})
