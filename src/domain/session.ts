import { number, oneOf, text } from './fields.js'
import type { AgentId } from './ids.js'
import type { Entity } from './record.js'

/**
 * What an agent is doing, for every surface (CLI, JSON, events):
 *
 *   starting → working ⇄ idle            done      its bead is merged, its session ended
 *              ↓↑                        failed    its process ended by itself, could not start, or its turn broke
 *   waiting(permission|question|…)       stopped   a person or gt ended it
 *   limited(until), stalled(since)       unknown   could not be asked
 */
export const AGENT_STATES = [
  'waiting',
  'failed',
  'stalled',
  'unknown',
  'limited',
  'starting',
  'working',
  'idle',
  'done',
  'stopped',
] as const
export type AgentState = (typeof AGENT_STATES)[number]

/** Shape carries the meaning; colour only repeats it. Second: where the terminal has no Unicode. */
export const STATE_GLYPHS: Readonly<Record<AgentState, readonly [string, string]>> = {
  working: ['●', '*'],
  waiting: ['◐', '?'],
  idle: ['○', 'o'],
  starting: ['⟳', '~'],
  done: ['✓', '+'],
  failed: ['✕', 'x'],
  stalled: ['⚠', '!'],
  stopped: ['⏸', '='],
  limited: ['◷', '@'],
  unknown: ['?', '?'],
}

/** What the session last said of itself (through its plugin) or what gt did to it; `broken`: its turn failed, it runs. */
export const REPORTED_STATES = [
  'starting',
  'working',
  'idle',
  'waiting',
  'limited',
  'stalled',
  'broken',
  'stopped',
  'failed',
  'done',
] as const
export type ReportedState = (typeof REPORTED_STATES)[number]

/** One run of an agent in one backend. */
export interface Session {
  id: string
  agent: AgentId
  backend: string
  runtime: string
  /** The runtime's own conversation id, for resume. */
  conversation?: string
  reported: ReportedState
  reportedAt: string
  reason?: string
  /** ISO; while `limited`: when the provider takes requests again. */
  limitedUntil?: string
  /** Whether the program's own hooks have been heard at all. */
  heardAt?: string
  worktree: string
  /** Clone id of the machine it runs on. */
  home?: string
  /** ISO 8601; absent while it has not ended, as far as is recorded. */
  endedAt?: string
  /** Names of the runtime's own variables (keys of model providers) that it was started with. */
  passed: readonly string[]
  /** Tokens and money of the session so far, as reported. */
  costUsd: number
  tokens: number
  createdAt: string
}

export function sessionFrom(entity: Entity): Session {
  const conversation = text(entity, 'conversation')
  const reason = text(entity, 'reason')
  const heardAt = text(entity, 'heard_at')
  const limitedUntil = text(entity, 'limited_until')
  const home = text(entity, 'home')
  const endedAt = text(entity, 'ended_at')
  return {
    id: entity.id,
    agent: (text(entity, 'agent') ?? '') as AgentId,
    backend: text(entity, 'backend') ?? 'tmux',
    runtime: text(entity, 'runtime') ?? '',
    ...(conversation === undefined ? {} : { conversation }),
    reported: oneOf(entity, 'state', REPORTED_STATES) ?? 'starting',
    reportedAt: text(entity, 'state_at') ?? entity.createdAt,
    ...(reason === undefined ? {} : { reason }),
    ...(limitedUntil === undefined ? {} : { limitedUntil }),
    ...(heardAt === undefined ? {} : { heardAt }),
    ...(home === undefined ? {} : { home }),
    ...(endedAt === undefined ? {} : { endedAt }),
    worktree: text(entity, 'worktree') ?? '',
    passed: (text(entity, 'passed') ?? '').split(' ').filter((name) => name !== ''),
    costUsd: number(entity, 'cost_usd') ?? 0,
    tokens: number(entity, 'tokens') ?? 0,
    createdAt: entity.createdAt,
  }
}
