import { AT_REST, type Awaited, judge, type Standing } from '../domain/awaited.js'
import { BEAD_STATUSES, type BeadStatus } from '../domain/bead.js'
import { OperationError, TimeoutError, UsageError } from '../domain/errors.js'
import { printable } from '../domain/ids.js'
import { AGENT_STATES, type AgentState } from '../domain/session.js'
import type { View } from '../ports/ledger.js'
import { findBead, getAgent, getBead, getConvoy } from './find-entity.js'
import type { Town } from './town.js'
import { readTownView } from './town-view.js'

/** Sessions are asked this often; the store tells of its changes by itself. */
const ASK_SESSIONS_MS = 1_000
const READ_STORE_MS = 250

/**
 * What the words stand for: beads and convoys (all their beads) are awaited as closed, agents as at rest.
 * @param states - other states instead
 * @throws NotFoundError, UsageError code `bad-state`
 */
export function awaitedBy(view: View, words: readonly string[], states: readonly string[]): Awaited[] {
  return words.flatMap((word): Awaited[] => {
    if (view.resolve('bead', word).kind === 'found') return [awaitBead(getBead(view, word).id, states)]
    if (view.resolve('convoy', word).kind === 'found')
      return getConvoy(view, word).beads.map((key) => awaitBead(key, states))
    const wanted = states.length === 0 ? AT_REST : states.map((state) => known(AGENT_STATES, state))
    return [{ kind: 'agent', id: getAgent(view, word).id, states: wanted }]
  })
}

function awaitBead(id: string, states: readonly string[]): Awaited {
  const statuses: BeadStatus[] =
    states.length === 0 ? ['closed'] : states.map((state) => known(BEAD_STATUSES, state))
  return { kind: 'bead', id, statuses }
}

function known<T extends string>(all: readonly T[], typed: string): T {
  const found = all.find((one) => one === typed)
  if (found !== undefined) return found
  throw new UsageError(`"${printable(typed)}" is not a state to wait for`, {
    code: 'bad-state',
    hint: `one of ${all.join(', ')}`,
  })
}

/**
 * Returns when everything awaited has come.
 * @param options.timeoutMs - undefined: for ever
 * @throws TimeoutError code `waited-in-vain`; OperationError code `will-not-come` as soon as one of them cannot come any more
 */
export async function waitFor(
  town: Town,
  awaited: readonly Awaited[],
  options: { timeoutMs?: number; signal: AbortSignal },
): Promise<Standing[]> {
  const deadline = options.timeoutMs === undefined ? undefined : town.clock.now() + options.timeoutMs
  const needsSessions = awaited.some(({ kind }) => kind === 'agent')
  for (;;) {
    const standings = await standingsOf(town, awaited, needsSessions)
    const verdicts = standings.map((now, i) => judge(awaited[i] as Awaited, now))
    if (verdicts.every((verdict) => verdict === 'reached')) return standings
    const hopeless = standings.filter((_, i) => verdicts[i] === 'hopeless')
    if (hopeless.length > 0) throw willNotCome(hopeless)
    if (deadline !== undefined && town.clock.now() >= deadline)
      throw inVain(
        standings.filter((_, i) => verdicts[i] === 'pending'),
        options.timeoutMs ?? 0,
      )
    await town.clock.sleep(needsSessions ? ASK_SESSIONS_MS : READ_STORE_MS, options.signal)
  }
}

async function standingsOf(
  town: Town,
  awaited: readonly Awaited[],
  needsSessions: boolean,
): Promise<Standing[]> {
  const agents = needsSessions ? (await readTownView(town)).agents : []
  const view = town.ledger.read()
  return awaited.map((one): Standing => {
    if (one.kind === 'agent') {
      const agent = agents.find(({ id }) => id === one.id)
      return {
        id: one.id,
        state: agent?.state ?? ('unknown' satisfies AgentState),
        detail: agent?.detail ?? '',
      }
    }
    const bead = findBead(view, one.id)
    return { id: bead?.shownId ?? one.id, state: bead?.status ?? 'open', detail: bead?.title ?? '' }
  })
}

function told(standings: readonly Standing[]): string {
  return standings
    .slice(0, 5)
    .map(({ id, state, detail }) => `${id} is ${state}${detail === '' ? '' : ` (${detail})`}`)
    .join('; ')
}

function willNotCome(standings: readonly Standing[]): OperationError {
  return new OperationError(`${told(standings)}: what you wait for will not come by itself`, {
    code: 'will-not-come',
    hint: 'gt status',
    details: { standings },
  })
}

function inVain(standings: readonly Standing[], timeoutMs: number): TimeoutError {
  return new TimeoutError(`waited ${Math.round(timeoutMs / 1_000)} s: ${told(standings)}`, {
    code: 'waited-in-vain',
    hint: 'gt status',
    details: { standings, timeoutMs },
  })
}
