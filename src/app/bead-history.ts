import type { Bead } from '../domain/bead.js'
import type { EntityHistory } from '../ports/chronicle.js'
import { getBead } from './find-entity.js'
import type { Town } from './town.js'

/** Every change of a bead that the log still holds, those that did not come to count included, oldest first. */
export async function beadHistory(
  town: Town,
  typed: string,
): Promise<{ bead: Bead; history: EntityHistory }> {
  const bead = getBead(town.ledger.read(), typed)
  const chronicle = await town.chronicle()
  return { bead, history: chronicle.history(bead.id) }
}
