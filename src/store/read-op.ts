import type { LogOp } from './record-line.js'
import { isStamp } from './stamp.js'

/**
 * Checks the shape of one op. By hand, because zod would cost a cold process more than all the rest of a read; and
 * without a copy, because this runs for every op of a full fold. Fields that are unknown here are simply not looked at.
 *
 * @returns undefined for what this version does not know: it stays in the log and is counted
 */
export function readOp(value: unknown): LogOp | undefined {
  // The cast is what this function checks.
  return isObject(value) && hasShape(value) ? (value as unknown as LogOp) : undefined
}

function hasShape(op: Record<string, unknown>): boolean {
  switch (op.o) {
    case 'new':
      return hasId(op) && typeof op.k === 'string' && isObject(op.f) && (op.a === undefined || isCount(op.a))
    case 'set':
      return hasId(op) && isObject(op.f)
    case 'move':
      // `new` is generation 1, so a move starts at 2.
      return hasId(op) && isCount(op.gen) && op.gen >= 2 && isObject(op.f)
    case 'add':
    case 'del':
      return hasId(op) && typeof op.f === 'string' && isStrings(op.x)
    case 'say':
      return hasId(op) && (typeof op.x === 'string' || blobRef(op.x) !== undefined)
    case 'gone':
      return hasId(op)
    case 'purge':
      return hasId(op) && typeof op.what === 'string' && /^(?:\*$|[fc]:)/.test(op.what)
    case 'ev':
      return typeof op.type === 'string' && isObject(op.data) && (op.i === undefined || isCount(op.i))
    case 'head':
      return isCount(op.format)
    case 'seal':
      return true
    case 'base':
      return isCount(op.upto) && isCount(op.n)
    case 'st':
      return isState(op)
    default:
      return false
  }
}

/** What `$blob` names, when `value` is a reference to a blob and nothing else. */
export function blobRef(value: unknown): string | undefined {
  if (!isObject(value)) return undefined
  const name = value.$blob
  return typeof name === 'string' && /^[0-9a-f]{64}$/.test(name) && Object.keys(value).length === 1
    ? name
    : undefined
}

function isState(op: Record<string, unknown>): boolean {
  return (
    hasId(op) &&
    isCount(op.gen) &&
    isStamp(op.last) &&
    isStrings(op.t) &&
    op.t.every(isStamp) &&
    isObject(op.reg) &&
    isObject(op.grd) &&
    isObject(op.set) &&
    Array.isArray(op.say)
  )
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function hasId(op: Record<string, unknown>): boolean {
  return typeof op.id === 'string' && op.id !== ''
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
