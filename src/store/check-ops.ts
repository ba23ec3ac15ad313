import { BugError, ConflictError } from '../domain/errors.js'
import type { Fields, Json, Op, PastOp } from '../domain/record.js'
import { type EntityState, isAlwaysGuarded, own } from './entity-state.js'
import type { EntityTable } from './entity-table.js'
import { blobRef, readOp } from './read-op.js'
import type { Stamp } from './stamp.js'

/**
 * Refuses what would be void or without effect as things stand, before anything is written.
 *
 * @throws ConflictError code `id-used` | `stale-generation`: `decide` asked for what its view already ruled out;
 *   BugError for ops that make no sense at all
 */
export function checkOps(table: EntityTable, ops: readonly Op[]): void {
  const generations = new Map<string, number>()
  for (const op of ops) {
    if (op.o === 'past') {
      generations.set(op.id, Math.max(checkPast(table, op), generations.get(op.id) ?? 0))
      continue
    }
    if (readOp(op) === undefined) throw bug('bad-op', `malformed op ${JSON.stringify(op).slice(0, 200)}`)
    if (op.o === 'ev') {
      refuseReserved(op.data)
      continue
    }
    const generation = generations.get(op.id) ?? currentGeneration(table.find(op.id))
    if (op.o === 'new') {
      if (generation > 0) throw idUsed(op.id)
      generations.set(op.id, 1)
    } else if (generation === 0) {
      throw bug('unknown-entity', `op ${op.o} names ${op.id}, which does not exist`)
    } else if (op.o === 'move') {
      if (op.gen <= generation) throw staleGeneration(op.id, op.gen, generation)
      generations.set(op.id, op.gen)
    }
    if (op.o === 'new' || op.o === 'set' || op.o === 'move') refuseReserved(op.f)
    if (op.o === 'set') refuseGuarded(op.id, op.f)
  }
}

/** @returns the generation that the entity has then */
function checkPast(table: EntityTable, op: PastOp): number {
  const known = table.find(op.id)
  if (known?.k !== undefined && known.k !== op.k) throw idUsed(op.id)
  if (known?.k === undefined && op.born === undefined)
    throw bug('unknown-entity', `op past names ${op.id}, which does not exist`)
  refuseReserved(op.f)
  refuseGuarded(op.id, op.f)
  return Math.max(1, currentGeneration(known))
}

/** 0: never created. An entity that is gone still has its generation: its id is not given twice. */
function currentGeneration(state: EntityState | undefined): number {
  return state?.k === undefined ? 0 : state.gen
}

function refuseGuarded(id: string, fields: Fields): void {
  const field = Object.keys(fields).find(isAlwaysGuarded)
  if (field !== undefined) throw bug('guarded-field', `${field} of ${id} changes by a move, not by a set`)
}

/** A value that reads like a reference to a blob would be replaced by whatever lies there. */
function refuseReserved(fields: Record<string, Json>): void {
  for (const [field, value] of Object.entries(fields)) {
    if (blobRef(value) !== undefined) throw bug('reserved-value', `${field} holds a {"$blob": …} object`)
  }
}

function idUsed(id: string): ConflictError {
  return new ConflictError(`${id} exists already, or did before it was deleted`, {
    code: 'id-used',
    hint: 'choose another id',
    details: { id },
  })
}

function staleGeneration(id: string, wanted: number, actual: number): ConflictError {
  return new ConflictError(
    `${id} moved on: it is at generation ${actual}, this change expected ${wanted - 1}`,
    {
      code: 'stale-generation',
      details: { id, expected: wanted - 1, actual },
    },
  )
}

function bug(code: string, message: string): BugError {
  return new BugError(`store: ${message}`, { code })
}

/** Greatest stamp that the ops must exceed to have an effect: a clock may have been far ahead once. */
export function floorStamp(table: EntityTable, ops: readonly Op[]): Stamp {
  let floor = ''
  const raise = (stamp: Stamp | undefined) => {
    if (stamp !== undefined && stamp > floor) floor = stamp
  }
  for (const op of ops) {
    if (op.o === 'ev' || op.o === 'past') continue
    const state = table.find(op.id)
    if (state === undefined) continue
    if (op.o === 'set' || op.o === 'move') {
      for (const field of Object.keys(op.f)) {
        raise(own(state.reg, field)?.[0])
        raise(own(state.grd, field)?.[1])
      }
    } else if (op.o === 'purge') raise(state.last)
    else if (op.o === 'add' || op.o === 'del') {
      const elements = own(state.set, op.f) ?? {}
      for (const element of op.x) raise(own(elements, element)?.[0])
    }
  }
  return floor
}
