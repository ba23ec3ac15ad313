import { text } from '../domain/fields.js'
import type { CloneInfo } from '../ports/upkeep.js'
import { cloneKey } from './here.js'
import type { Town } from './town.js'

export interface Machine extends CloneInfo {
  host?: string
}

/** The machines whose chains are here; those that were retired have none any more. */
export async function listMachines(town: Town): Promise<Machine[]> {
  const view = town.ledger.read()
  const clones = await (await town.upkeep()).clones()
  return clones.map((info) => {
    const entity = view.get(cloneKey(info.clone))
    const host = entity === undefined ? undefined : text(entity, 'host')
    return { ...info, ...(host === undefined ? {} : { host }) }
  })
}
