import { BD_KINDS } from '../domain/bd/fields.js'
import { bdIssue, shapeOf } from '../domain/bd/shape.js'
import type { Entity } from '../domain/record.js'
import { sortedJson } from '../domain/same-json.js'
import type { View } from '../ports/ledger.js'

/** Every bead, message and convoy as a JSON line of bd, deleted ones as tombstones; sorted by id. What was imported comes out as it went in. */
export function exportBeads(view: View, options: { withMail: boolean }): string[] {
  const kinds = BD_KINDS.filter((kind) => kind !== 'mail' || options.withMail)
  const entities = kinds.flatMap((kind) => [
    ...view.list({ kind, archived: 'too' }),
    ...view.tombstones(kind),
  ])
  return entities.sort(byId).map((entity) => {
    const times = view.times(entity.id) ?? { fields: {}, sets: {} }
    return sortedJson(bdIssue(shapeOf({ entity, times, comments: view.comments(entity.id) })))
  })
}

function byId(a: Entity, b: Entity): number {
  return a.id < b.id ? -1 : 1
}
