import { NotFoundError, UsageError } from '../domain/errors.js'
import { printable } from '../domain/ids.js'
import { ENTITY_KINDS, type PurgeTarget } from '../domain/record.js'
import type { View } from '../ports/ledger.js'
import type { PurgeReceipt } from '../ports/upkeep.js'
import type { Town } from './town.js'

export interface PurgeEntityRequest {
  /** As typed; of something that was deleted, its whole key. */
  id: string
  /** Names of fields and sets; with `comments`, only these and nothing else. */
  fields: readonly string[]
  /** By their number in `gt bead show`, from 1. */
  comments: readonly number[]
  dryRun: boolean
}

export interface PurgedEntity {
  id: string
  shownId: string
  what: readonly PurgeTarget[]
  receipt: PurgeReceipt
}

/**
 * Destroys what was written to an entity, here and (when they next exchange) on every other machine.
 * @throws NotFoundError; OperationError code `purge-incomplete`
 */
export async function purgeEntity(town: Town, request: PurgeEntityRequest): Promise<PurgedEntity> {
  const view = town.ledger.read()
  const { id, shownId } = findAny(view, request.id)
  const what = targetsOf(view, id, request)
  const upkeep = await town.upkeep()
  const order = { id, what, by: town.actor }
  const receipt = request.dryRun ? await upkeep.previewPurge(order) : await upkeep.purge(order)
  return { id, shownId, what, receipt }
}

function findAny(view: View, typed: string): { id: string; shownId: string } {
  const exact = view.get(typed)
  if (exact !== undefined) return exact
  const found = ENTITY_KINDS.map((kind) => view.resolve(kind, typed))
  const ambiguous = found.flatMap((one) => (one.kind === 'ambiguous' ? one.ids : []))
  const entities = found.flatMap((one) => (one.kind === 'found' ? [one.entity] : []))
  if (ambiguous.length === 0 && entities.length === 1 && entities[0]) return entities[0]
  if (ambiguous.length + entities.length > 1) {
    const ids = [...ambiguous, ...entities.map(({ shownId }) => shownId)]
    throw new UsageError(`"${printable(typed)}" can mean ${ids.length} things`, {
      code: 'ambiguous-id',
      hint: `say which: ${ids.slice(0, 5).join(', ')}`,
    })
  }
  // Deleted things keep what was written to them.
  if (view.times(typed) !== undefined) return { id: typed, shownId: typed }
  throw new NotFoundError(`there is nothing "${printable(typed)}" in the store`, {
    code: 'entity-not-found',
    hint: 'something that was deleted needs its whole key',
    details: { id: printable(typed) },
  })
}

function targetsOf(view: View, id: string, { fields, comments }: PurgeEntityRequest): PurgeTarget[] {
  if (fields.length + comments.length === 0) return ['*']
  const times = view.times(id)
  const known = [...Object.keys(times?.fields ?? {}), ...Object.keys(times?.sets ?? {})]
  const written = view.comments(id)
  return [
    ...fields.map((field): PurgeTarget => {
      if (known.includes(field) && field !== 'status') return `f:${field}`
      throw new NotFoundError(`${id} has no field "${printable(field)}" that can be purged`, {
        code: 'field-not-found',
        hint: `there are: ${known.filter((name) => name !== 'status').join(', ')}`,
      })
    }),
    ...comments.map((number): PurgeTarget => {
      const comment = written[number - 1]
      if (comment !== undefined) return `c:${comment.id}`
      throw new NotFoundError(`${id} has no comment ${number}, it has ${written.length}`, {
        code: 'comment-not-found',
      })
    }),
  ]
}
