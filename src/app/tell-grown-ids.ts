import { beadFrom } from '../domain/bead.js'
import { text } from '../domain/fields.js'
import { HUMAN } from '../domain/ids.js'
import type { Op } from '../domain/record.js'
import { mailOps } from './send-mail.js'
import type { Town } from './town.js'

/**
 * After an exchange: whoever made a bead here that must be shown longer from now on, because another machine had given the same
 * short id before, gets a mail; once for each length.
 * @returns the new ids
 */
export function tellGrownIds(town: Town): string[] {
  const grown = town.ledger.read().grownIds(town.ledger.ownClones())
  const told: string[] = []
  for (const { id, announced, shown } of grown) {
    const { isTold } = town.ledger.transact('gt', (view) => {
      const entity = view.get(id)
      if (entity === undefined || text(entity, 'told_id') === shown) return { isTold: false }
      const bead = beadFrom(entity)
      const letter = {
        from: 'gt',
        to: view.get(bead.createdBy)?.kind === 'agent' ? bead.createdBy : HUMAN,
        subject: `${announced} is called ${shown} now`,
        body: `Another machine had given the id ${announced} before, to a bead of its own. Yours, "${bead.title}", is shown as ${shown} from now on, on all machines; its key ${id} stays. ${announced} means the other one.`,
      }
      const ops: Op[] = [{ o: 'set', id, f: { told_id: shown } }, ...mailOps(town, view, letter).ops]
      return { isTold: true, ops }
    })
    if (isTold) told.push(shown)
  }
  return told
}
