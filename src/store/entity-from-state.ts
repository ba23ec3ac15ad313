import type { Entity, Fields, Json } from '../domain/record.js'
import type { EntityTimes } from '../ports/ledger.js'
import { readBlob } from './blob-store.js'
import { type EntityState, fieldNames, fieldValue, own, put, setElements } from './entity-state.js'
import type { ReadableState } from './packed-state.js'
import { blobRef } from './read-op.js'
import { stampTime } from './stamp.js'

/** What callers see of a state that is visible. */
export function entityFromState(state: ReadableState, shownId: string, blobDirectory: string): Entity {
  const [mark, createdBy] = state.born ?? ['', '']
  const fields: Fields = {}
  for (const name of fieldNames(state)) {
    const value = fieldValue(state, name)
    if (value !== undefined) putValue(fields, name, value, blobDirectory)
  }
  const sets: Record<string, readonly string[]> = {}
  for (const [name, elements] of Object.entries(state.set)) {
    const present = setElements(elements)
    if (present.length > 0) put(sets, name, present)
  }
  return {
    id: state.id,
    shownId,
    kind: state.k ?? 'bead',
    generation: state.gen,
    fields,
    sets,
    commentCount: state.say.length,
    createdAt: stampTime(mark),
    createdBy,
    updatedAt: stampTime(state.last),
  }
}

export function timesOf(state: EntityState): EntityTimes {
  const fields: Record<string, string> = {}
  for (const name of fieldNames(state)) {
    const plain = own(state.reg, name)?.[0] ?? ''
    const guarded = own(state.grd, name)?.[1] ?? ''
    put(fields, name, stampTime(later(plain, guarded)))
  }
  const sets: Record<string, Record<string, string>> = {}
  for (const [name, elements] of Object.entries(state.set)) {
    const times: Record<string, string> = {}
    for (const [element, [stamp]] of Object.entries(elements)) put(times, element, stampTime(stamp))
    put(sets, name, times)
  }
  const purged = Object.values(state.pur ?? {})
    .sort()
    .at(-1)
  return {
    fields,
    sets,
    ...(state.gone === undefined ? {} : { goneAt: stampTime(state.gone) }),
    ...(purged === undefined ? {} : { purgedAt: stampTime(purged) }),
  }
}

function later(a: string, b: string): string {
  if (a < b) return b
  return a
}

/** Values of an event or entity, long texts fetched from their blobs when somebody looks at them. */
export function withTexts(values: Fields, blobDirectory: string): Fields {
  const result: Fields = {}
  for (const [name, value] of Object.entries(values)) putValue(result, name, value, blobDirectory)
  return result
}

function putValue(target: Fields, name: string, value: Json, blobDirectory: string): void {
  const blob = blobRef(value)
  if (blob === undefined) {
    put(target, name, value)
    return
  }
  let text: string | undefined
  Object.defineProperty(target, name, {
    enumerable: true,
    configurable: true,
    get: () => {
      text ??= readBlob(blobDirectory, blob)
      return text
    },
  })
}
