import type { PurgeTarget } from '../../domain/record.js'
import { own } from '../entity-state.js'
import type { EntityTable } from '../entity-table.js'
import type { ReadableState } from '../packed-state.js'

/** What of the present state a purge destroys: how many values, elements and comments, and events that tell of it. */
export function countPurged(
  table: EntityTable,
  id: string,
  what: readonly PurgeTarget[],
): { values: number; events: number } {
  const state = table.peek(id)?.state
  const events = table.events.filter(({ data }) => Object.values(data).includes(id)).length
  if (state === undefined) return { values: 0, events }
  const values = what.includes('*')
    ? countAll(state)
    : what.reduce((sum, one) => sum + countOne(state, one), 0)
  return { values, events }
}

function countAll(state: ReadableState): number {
  const fields = new Set([...Object.keys(state.reg), ...Object.keys(state.grd), ...Object.keys(state.set)])
  fields.delete('status')
  let sum = state.say.length
  for (const field of fields) sum += countOne(state, `f:${field}`)
  return sum
}

function countOne(state: ReadableState, what: PurgeTarget): number {
  const name = what.slice(2)
  if (what.startsWith('c:')) return state.say.filter(([mark]) => mark === name).length
  const register = own<readonly unknown[]>(state.reg, name)
  const guarded = own<readonly unknown[]>(state.grd, name)
  const elements = own<Record<string, unknown>>(state.set, name) ?? {}
  const isWritten = (value: readonly unknown[] | undefined) => value !== undefined && value.at(-1) !== null
  return (isWritten(register) || isWritten(guarded) ? 1 : 0) + Object.keys(elements).length
}
