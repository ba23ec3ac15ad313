import type { Fields } from '../domain/record.js'
import {
  type EntityState,
  type Guarded,
  isAlwaysGuarded,
  joinBirth,
  joinComment,
  joinElement,
  joinGuarded,
  joinPurge,
  joinRegister,
  joinState,
  own,
  raiseGeneration,
} from './entity-state.js'
import { unpackState } from './packed-state.js'
import { readOp } from './read-op.js'
import type { LogOp, LogRecord } from './record-line.js'
import { markOf, type Stamp } from './stamp.js'

/** Where records are folded into. */
export interface FoldTarget {
  find(id: string): EntityState | undefined
  /** The state to change; made when absent. */
  touch(id: string): EntityState
  /** After a `new` or `st` was joined: shown ids may change. */
  noteBirth(state: EntityState): void
  addEvent(event: StoredEvent): void
  /** After a purge was joined into the state of `id`. */
  notePurge(id: string, what: string, stamp: Stamp): void
  noteStamp(stamp: Stamp): void
  noteFormat(format: number): void
  noteUnknownOp(): void
}

export interface StoredEvent {
  mark: string
  by: string
  type: string
  data: Fields
}

export type Verdict = 'applied' | 'void' | 'sealed'

/**
 * Folds one record of the chain of `chain` into `target`. Records of one chain must come in the order of its lines;
 * chains may be mixed in any way.
 *
 * @returns `void`: the chain already has the generation that one of its `new` or `move` wants, and nothing of it counts
 */
export function applyRecord(target: FoldTarget, chain: string, record: LogRecord): Verdict {
  const ops = record.ops.map((op) => readOp(op))
  target.noteStamp(record.t)
  if (isVoid(target, chain, ops)) return 'void'
  let verdict: Verdict = 'applied'
  for (let index = 0; index < ops.length; index++) {
    const op = ops[index]
    if (op === undefined) target.noteUnknownOp()
    else if (op.o === 'seal') verdict = 'sealed'
    else applyOp(target, { chain, stamp: record.t, by: record.by, index }, op)
  }
  return verdict
}

function isVoid(target: FoldTarget, chain: string, ops: readonly (LogOp | undefined)[]): boolean {
  let seen: Map<string, number> | undefined
  for (const op of ops) {
    if (op === undefined || (op.o !== 'new' && op.o !== 'move')) continue
    const wanted = op.o === 'new' ? 1 : op.gen
    seen ??= new Map()
    const has = seen.get(op.id) ?? chainGeneration(target.find(op.id), chain)
    if (has >= wanted) return true
    seen.set(op.id, wanted)
  }
  return false
}

function chainGeneration(state: EntityState | undefined, chain: string): number {
  return state === undefined ? 0 : (own(state.ch, chain) ?? 0)
}

type NewOp = Extract<LogOp, { o: 'new' }>
type EntityOp = Extract<LogOp, { o: 'new' | 'set' | 'move' | 'add' | 'del' | 'say' | 'gone' | 'purge' }>

interface Place {
  chain: string
  stamp: Stamp
  by: string
  index: number
}

function applyOp(target: FoldTarget, place: Place, op: LogOp): void {
  switch (op.o) {
    case 'head':
      target.noteFormat(op.format)
      break
    case 'seal':
    case 'base':
      break
    case 'ev':
      target.addEvent({
        mark: markOf(place.stamp, op.i ?? place.index),
        by: place.by,
        type: op.type,
        data: op.data,
      })
      break
    case 'st': {
      const state = target.touch(op.id)
      joinState(state, unpackState({ ...op, ch: {} }), place.chain)
      for (const [what, stamp] of Object.entries(op.pur ?? {})) target.notePurge(op.id, what, stamp)
      target.noteStamp(op.last)
      target.noteBirth(state)
      break
    }
    default:
      applyEntityOp(target, place, op)
  }
}

function applyEntityOp(target: FoldTarget, place: Place, op: EntityOp): void {
  const state = target.touch(op.id)
  if (place.stamp > state.last) state.last = place.stamp
  switch (op.o) {
    case 'new':
      applyNew(state, place, op)
      target.noteBirth(state)
      break
    case 'set':
      applyFields(state, place, op.f, () => target.noteUnknownOp())
      break
    case 'move':
      applyMove(state, place, op.gen, op.f)
      break
    case 'add':
    case 'del':
      for (const element of op.x) joinElement(state, op.f, element, place.stamp, op.o === 'add' ? 1 : 0)
      break
    case 'say':
      joinComment(state, [markOf(place.stamp, place.index), place.by, op.x])
      break
    case 'purge':
      joinPurge(state, op.what, place.stamp)
      target.notePurge(op.id, op.what, place.stamp)
      break
    case 'gone':
      if (place.stamp > (state.gone ?? '')) state.gone = place.stamp
  }
}

function applyNew(state: EntityState, place: Place, op: NewOp): void {
  joinBirth(state, {
    k: op.k,
    born: [markOf(place.stamp, place.index), place.by],
    ...(op.a === undefined ? {} : { a: op.a }),
  })
  const rank = closedRank(op.f)
  for (const [field, value] of Object.entries(op.f)) {
    if (isAlwaysGuarded(field)) joinGuarded(state, field, [1, place.stamp, rank, value])
    else joinRegister(state, field, [place.stamp, value])
  }
  raiseGeneration(state, place.chain, 1)
}

function applyFields(state: EntityState, place: Place, f: Fields, onRefused: () => void): void {
  for (const [field, value] of Object.entries(f)) {
    if (isAlwaysGuarded(field)) onRefused()
    else joinRegister(state, field, [place.stamp, value])
  }
}

function applyMove(state: EntityState, place: Place, generation: number, f: Fields): void {
  const rank = closedRank(f)
  for (const [field, value] of Object.entries(f)) {
    const guarded: Guarded = [generation, place.stamp, rank, value]
    joinGuarded(state, field, guarded)
  }
  raiseGeneration(state, place.chain, generation)
}

function closedRank(f: Fields): 0 | 1 {
  return own(f, 'status') === 'closed' ? 1 : 0
}
