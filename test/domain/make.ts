import type { Agent } from '../../src/domain/agent.js'
import type { Bead } from '../../src/domain/bead.js'
import type { AgentId, BeadId } from '../../src/domain/ids.js'
import type { Mail } from '../../src/domain/mail.js'
import type { Merge } from '../../src/domain/merge.js'
import type { Runtime } from '../../src/domain/runtime.js'
import type { Session } from '../../src/domain/session.js'

const at = '2025-01-01T00:00:00.000Z'

export function anAgent(fields: Partial<Agent> = {}): Agent {
  return {
    id: 'proj/toast' as AgentId,
    name: 'toast',
    generation: 1,
    rig: 'proj',
    role: 'polecat',
    revivals: 0,
    runtime: 'opencode',
    backend: 'tmux',
    hook: 'issue-1' as BeadId,
    branch: 'gt/toast/issue-1',
    createdAt: at,
    updatedAt: at,
    ...fields,
  }
}

export function aBead(fields: Partial<Bead> = {}): Bead {
  return {
    id: 'issue-1' as BeadId,
    shownId: 'issue-1',
    generation: 1,
    title: 'mend the totals',
    description: 'They are wrong.',
    status: 'hooked',
    priority: 2,
    type: 'task',
    labels: [],
    blockedBy: [],
    deps: [],
    commentCount: 0,
    createdAt: at,
    createdBy: 'human',
    updatedAt: at,
    strict: false,
    ...fields,
  }
}

export function aMail(fields: Partial<Mail> = {}): Mail {
  return {
    id: 'm-1',
    shownId: 'm-1',
    generation: 1,
    from: 'human' as AgentId,
    to: 'proj/toast' as AgentId,
    subject: 'hello',
    body: 'text',
    status: 'unread',
    thread: 'm-1',
    sentAt: at,
    ...fields,
  }
}

export function aMerge(fields: Partial<Merge> = {}): Merge {
  return {
    id: 'mq-1',
    shownId: 'mq-1',
    generation: 1,
    bead: 'issue-1' as BeadId,
    agent: 'proj/toast' as AgentId,
    rig: 'proj',
    branch: 'gt/toast/issue-1',
    head: 'a'.repeat(40),
    target: 'main',
    status: 'queued',
    attempts: 0,
    createdAt: at,
    updatedAt: at,
    ...fields,
  }
}

export function aSession(fields: Partial<Session> = {}): Session {
  return {
    id: 's-1',
    agent: 'proj/toast' as AgentId,
    backend: 'tmux',
    runtime: 'opencode',
    reported: 'starting',
    reportedAt: at,
    passed: [],
    worktree: '/w',
    costUsd: 0,
    tokens: 0,
    createdAt: at,
    ...fields,
  }
}

export function aRuntime(fields: Partial<Runtime> = {}): Runtime {
  return {
    name: 'r',
    command: ['prog', '--fixed'],
    autonomousArgs: ['--yes'],
    promptArgs: ['--prompt={prompt} '],
    modelArgs: ['-m', '{model}'],
    resumeArgs: ['-s', '{session}'],
    forkArgs: ['-s', '{session}', '--fork'],
    env: {},
    passEnv: [],
    instructionFile: 'none',
    hooks: 'none',
    ready: { kind: 'delay', delayMs: 1 },
    submit: { enterDelayMs: 0, prefix: '', suffix: '', maxBytes: 4_000, interruptKeys: [], exitCommand: '' },
    processNames: [],
    busyMarker: '',
    headless: [],
    ...fields,
  }
}
