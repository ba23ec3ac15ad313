import { randomId } from '../domain/ids.js'
import type { View } from '../ports/ledger.js'
import type { Town } from './town.js'

/** Key and length of the shown id for a new entity: `proj-` + 11 random characters, shown as 5 or as many as it takes. */
export function newKey(town: Town, view: View, prefix: string): { id: string; a: number } {
  const id = `${prefix}-${randomId(town.random.bytes(11), 11)}`
  return { id, a: view.shownLength(id) }
}
