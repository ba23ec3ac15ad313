import type { ReportedState } from './session.js'

/** A session as the store has it. */
export interface RecordedSession {
  agent: string
  session: string
  backend: string
  reported: ReportedState
  /** A sling is at it now: it may not be there yet. */
  isBeingSlung: boolean
}

/** The same as its backend has it; `silent`: the backend could not be asked. */
export type Seen =
  | { kind: 'running' }
  | { kind: 'stopped'; why: string }
  | { kind: 'absent' }
  | { kind: 'unknown'; why: string }

export type Verdict =
  /** Record and reality agree. */
  | { kind: 'ok'; agent: string; what: string }
  /** Recorded as alive, proven to be gone: the record follows. */
  | { kind: 'lost'; agent: string; session: string; what: string }
  /** Recorded as ended, and it runs. */
  | { kind: 'survivor'; agent: string; what: string }
  /** Nobody could say. Nothing follows from that. */
  | { kind: 'unknown'; agent: string; what: string }
  /** It runs, and no record knows it. */
  | { kind: 'unrecorded'; agent: string; what: string }

const ENDED: readonly ReportedState[] = ['stopped', 'failed', 'done']

/** Compares the registry with what is really there. Pure; what to do about a verdict is the caller's. */
export function reconcile(
  recorded: readonly RecordedSession[],
  seen: ReadonlyMap<string, Seen>,
  silent: string | undefined,
): Verdict[] {
  const known = new Set(recorded.map(({ agent }) => agent))
  const strangers = [...seen]
    .filter(([agent, { kind }]) => !known.has(agent) && kind === 'running')
    .map(([agent]): Verdict => ({ kind: 'unrecorded', agent, what: 'runs, but no record knows it' }))
  return [...recorded.map((one) => verdictOn(one, seen.get(one.agent), silent)), ...strangers]
}

function verdictOn(one: RecordedSession, seen: Seen | undefined, silent: string | undefined): Verdict {
  const { agent, session } = one
  if (silent !== undefined) return { kind: 'unknown', agent, what: silent }
  const really = seen ?? { kind: 'absent' }
  if (really.kind === 'unknown') return { kind: 'unknown', agent, what: really.why }
  const isEnded = ENDED.includes(one.reported)
  if (really.kind === 'running') {
    if (isEnded) return { kind: 'survivor', agent, what: `recorded as ${one.reported}, and it runs` }
    return { kind: 'ok', agent, what: 'runs' }
  }
  if (isEnded) return { kind: 'ok', agent, what: one.reported }
  if (one.isBeingSlung) return { kind: 'ok', agent, what: 'is being started' }
  const why = really.kind === 'stopped' ? really.why : `${one.backend} has no session of it`
  return { kind: 'lost', agent, session, what: `recorded as ${one.reported}, but ${why}` }
}
