import type { AgentView, ConvoyView, TownView } from '../../src/app/town-view.js'
import type { Ask } from '../../src/domain/ask.js'
import type { AgentId, BeadId } from '../../src/domain/ids.js'
import type { Merge } from '../../src/domain/merge.js'

/** The moment of every sample: ages are counted from here. */
export const NOW = Date.parse('2026-03-02T14:32:00Z')

export function minutesAgo(minutes: number): string {
  return new Date(NOW - minutes * 60_000).toISOString()
}

export function agent(id: string, over: Partial<AgentView> = {}): AgentView {
  const [rig = '', name = ''] = id.split('/')
  return {
    id,
    name,
    rig,
    role: 'polecat',
    runtime: 'opencode',
    backend: 'tmux',
    state: 'working',
    detail: '',
    location: 'pane %3',
    since: minutesAgo(12),
    lastActivityAt: minutesAgo(0),
    costUsd: 0,
    tokens: 0,
    unreadMail: 0,
    ...over,
  }
}

export function onBead(
  agentId: string,
  bead: string,
  title: string,
  status: NonNullable<AgentView['bead']>['status'] = 'hooked',
): Partial<AgentView> {
  const name = agentId.split('/')[1] ?? ''
  return {
    bead: { id: bead, title, status },
    branch: `gt/${name}/${bead}`,
    worktree: `/t/${name}`,
    base: 'abc',
  }
}

export function merge(id: string, over: Partial<Merge> = {}): Merge {
  return {
    id: `merge:${id}`,
    shownId: id,
    generation: 1,
    bead: 'proj-4k7q2' as BeadId,
    agent: 'proj/toast' as AgentId,
    rig: 'proj',
    branch: 'gt/toast/proj-4k7q2',
    head: 'abc',
    target: 'main',
    status: 'queued',
    attempts: 1,
    createdAt: minutesAgo(7),
    updatedAt: minutesAgo(3),
    ...over,
  }
}

export function ask(id: string, agentId: string, over: Partial<Ask> = {}): Ask {
  return {
    id,
    shownId: id,
    generation: 1,
    agent: agentId,
    session: 's-1',
    conversation: 'ses_1',
    isSubagent: false,
    kind: 'permission',
    request: 'per_1',
    tool: 'bash',
    patterns: ['npm install left-pad'],
    always: [],
    context: '',
    questions: [],
    options: [],
    status: 'open',
    createdAt: minutesAgo(4),
    ...over,
  }
}

export function town(over: Partial<TownView> = {}): TownView {
  return {
    name: 'gastown',
    root: '/home/ann/gt',
    at: new Date(NOW).toISOString(),
    agents: [],
    asks: [],
    convoys: [],
    pools: [],
    queue: [],
    recentlyMerged: [],
    beads: { ready: 0, open: 0, hooked: 0, inReview: 0, closed: 0 },
    unreadForHuman: 0,
    problems: [],
    ...over,
  }
}

export const CONVOYS: ConvoyView[] = [
  {
    id: 'cv-login',
    title: 'Login rewrite',
    status: 'open',
    progress: { total: 8, closed: 4, inReview: 1, hooked: 2, open: 1 },
    beads: [
      {
        id: 'proj-4k7q2',
        title: 'Fix the redirect loop after login',
        status: 'hooked',
        assignee: 'proj/toast',
      },
      {
        id: 'proj-9mm2x',
        title: 'Rate-limit password attempts',
        status: 'in_review',
        assignee: 'proj/capable',
      },
      { id: 'proj-1aa0b', title: 'Drop the legacy session table', status: 'closed' },
      { id: 'proj-7c3zz', title: 'Translate the error pages', status: 'open' },
    ],
  },
  {
    id: 'cv-cost',
    title: 'Halve the CI bill',
    status: 'open',
    progress: { total: 3, closed: 0, inReview: 0, hooked: 1, open: 2 },
    beads: [
      { id: 'infra-22k1p', title: 'Cache the toolchain image', status: 'hooked', assignee: 'infra/slit' },
    ],
  },
]

/** Ten agents in all kinds of states, a queue with a waiting entry, two convoys. */
export function busyTown(): TownView {
  return town({
    agents: [
      agent('proj/toast', {
        ...onBead('proj/toast', 'proj-4k7q2', 'Fix the redirect loop after login'),
        state: 'waiting',
        detail: 'permission: run "npm install left-pad"?',
        costUsd: 0.42,
        tokens: 48_211,
        since: minutesAgo(26),
      }),
      agent('proj/nux', {
        ...onBead('proj/nux', 'proj-0d8fw', 'Paginate the audit log'),
        runtime: 'claude',
        costUsd: 1.87,
        tokens: 212_900,
        since: minutesAgo(61),
      }),
      agent('proj/furiosa', {
        ...onBead('proj/furiosa', 'issue-123', 'Upload of files larger than 2 GB fails with a time-out'),
        since: minutesAgo(8),
      }),
      agent('infra/slit', {
        ...onBead('infra/slit', 'infra-22k1p', 'Cache the toolchain image'),
        runtime: 'codex',
        since: minutesAgo(3),
      }),
      agent('proj/capable', {
        ...onBead('proj/capable', 'proj-9mm2x', 'Rate-limit password attempts', 'in_review'),
        state: 'idle',
        since: minutesAgo(140),
      }),
      agent('infra/dag', {
        ...onBead('infra/dag', 'infra-8zz4t', 'Rotate the deploy keys'),
        state: 'failed',
        detail: 'exited with 1; gt agent resume infra/dag goes on',
        runtime: 'codex',
        since: minutesAgo(300),
      }),
      agent('proj/cheedo', {
        ...onBead('proj/cheedo', 'proj-55cvq', 'Describe the webhook API'),
        state: 'starting',
        runtime: 'gemini',
        since: minutesAgo(0),
      }),
      agent('town/mayor', {
        role: 'mayor',
        runtime: 'claude',
        state: 'idle',
        since: minutesAgo(2000),
        unreadMail: 2,
      }),
      agent('proj/ann', {
        role: 'crew',
        runtime: 'claude',
        state: 'stopped',
        location: '',
        since: minutesAgo(4000),
      }),
      agent('infra/keeper', {
        ...onBead('infra/keeper', 'infra-3ww9d', 'Alert on certificate expiry'),
        state: 'limited',
        detail: 'until 16:00',
        since: minutesAgo(90),
      }),
    ],
    convoys: CONVOYS,
    queue: [
      merge('m-12', {
        status: 'waiting',
        reason: 'the checkout of proj has uncommitted changes in package.json',
        evidence: ' M package.json\n?? notes.txt',
        attempts: 2,
      }),
      merge('m-13', { status: 'running', bead: 'proj-9mm2x' as BeadId, agent: 'proj/capable' as AgentId }),
    ],
    recentlyMerged: [
      merge('m-10', {
        status: 'merged',
        mergedAs: '0f3c2ad9e1b7',
        bead: 'proj-1aa0b' as BeadId,
        updatedAt: minutesAgo(95),
      }),
      merge('m-11', {
        status: 'merged',
        mergedAs: '77aa01c4f0de',
        bead: 'infra-6yy3k' as BeadId,
        updatedAt: minutesAgo(31),
      }),
    ],
    beads: { ready: 5, open: 12, hooked: 6, inReview: 1, closed: 31 },
    unreadForHuman: 3,
    problems: [
      'merge m-12 of proj-4k7q2 waits: the checkout of proj has uncommitted changes (gt mq retry m-12)',
    ],
  })
}

/** What a coding agent's screen looks like, colours included. */
export function sampleScreen(agentId: string): string[] {
  return [
    `\u001b[1m${agentId}\u001b[0m  \u001b[2mopencode 1.18\u001b[0m`,
    '',
    '\u001b[36m●\u001b[0m I looked at src/auth/session.ts: the cookie is set after the redirect,',
    '  so the next request has none and the guard redirects again.',
    '',
    '\u001b[32m●\u001b[0m Edit \u001b[1msrc/auth/session.ts\u001b[0m',
    '  \u001b[31m-  res.redirect(next)\u001b[0m',
    '  \u001b[32m+  await session.save()\u001b[0m',
    '  \u001b[32m+  res.redirect(next)\u001b[0m',
    '',
    '\u001b[32m●\u001b[0m Bash npm test -- auth',
    '  \u001b[38;5;245mTests  41 passed (41)\u001b[0m',
    '',
    '\u001b[33m●\u001b[0m Next I want to add a regression test that follows the redirect.',
    '╭──────────────────────────────────────────────────────────────────────────╮',
    '│ >                                                                        │',
    '╰──────────────────────────────────────────────────────────────────────────╯',
  ]
}
