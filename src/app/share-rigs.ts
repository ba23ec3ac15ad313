import { publishRigOps, type SharedRig, sharedRigFrom } from '../domain/shared-rig.js'
import { addRig } from './add-rig.js'
import { asGtError } from './roll-back.js'
import type { Town } from './town.js'

/** Tells the other machines how the rigs of this one are set up. Writes nothing when that is known. */
export function publishRigs(town: Town): void {
  const rigs = Object.values(town.config.rigs)
  town.ledger.transact('gt', (view) => ({
    ops: publishRigOps({
      rigs,
      known: view.list({ kind: 'rig' }),
      clones: town.ledger.ownClones(),
      at: new Date(town.clock.now()).toISOString(),
    }),
  }))
}

export interface RestoredRigs {
  added: string[]
  /** Known elsewhere by the path of a clone: only a person knows where it is here. */
  byPath: SharedRig[]
  failed: { rig: SharedRig; why: string }[]
}

/** Puts the rigs that the store knows by URL under management here, too. One that cannot be reached holds up no other. */
export async function restoreRigs(town: Town): Promise<RestoredRigs> {
  const restored: RestoredRigs = { added: [], byPath: [], failed: [] }
  const known = town.ledger.read().list({ kind: 'rig' })
  for (const rig of known.flatMap((entity) => sharedRigFrom(entity) ?? [])) {
    if (Object.hasOwn(town.config.rigs, rig.name)) continue
    if (rig.url === undefined) {
      restored.byPath.push(rig)
      continue
    }
    try {
      await addRig(town, { ...rig, from: rig.url, cwd: town.root })
      restored.added.push(rig.name)
    } catch (error) {
      restored.failed.push({ rig, why: asGtError(error).message })
    }
  }
  return restored
}
