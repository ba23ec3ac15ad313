import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ConflictError } from '../../domain/errors.js'
import { newCursor } from '../chain-cursor.js'
import { advanceChain } from '../chain-reader.js'
import { reasonToStop } from '../compact/fold-chain.js'
import { EntityTable } from '../entity-table.js'
import { listLog, noFiles } from '../layout.js'
import { objectName } from '../object-name.js'
import { heldFiles, type Place } from './apply-chain.js'
import { readChainTree } from './chain-tree.js'
import { countingNames } from './counted-lines.js'
import { trackedTips } from './remote-git.js'
import { readSyncNote, writeSyncNote } from './sync-note.js'

/** Git's names of the contents of the files that count, by name in log/. */
export type ChainObjects = Readonly<Record<string, string>>

export function objectsHere({ paths }: Place, clone: string, names: Iterable<string>): ChainObjects {
  return Object.fromEntries(
    countingNames(clone, names).map((name) => [name, objectName(readFileSync(join(paths.log, name)))]),
  )
}

export function isSame(a: ChainObjects, b: ChainObjects): boolean {
  const names = Object.keys(a)
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name])
}

/** @returns undefined when the commit cannot be read, or holds what is not of this chain */
export async function objectsAt(place: Place, clone: string, tip: string): Promise<ChainObjects | undefined> {
  const reading = await readChainTree({ repository: place.paths.git, env: place.settings.env }, clone, tip)
  if (reading.kind === 'refused') return undefined
  const { log } = reading.tree
  return Object.fromEntries(countingNames(clone, log.keys()).map((name) => [name, log.get(name)?.oid ?? '']))
}

/**
 * Before a chain is folded for good and thrown away: our copy must be whole and, byte for byte, what its machine sent last.
 * @returns what it consists of
 * @throws ConflictError code `chain-damaged`
 */
export async function proveWhole(place: Place, clone: string): Promise<ChainObjects> {
  const table = new EntityTable(undefined, place.settings.now)
  const files = listLog(place.paths.log).get(clone) ?? noFiles()
  advanceChain({ logDirectory: place.paths.log, table }, newCursor(clone), files)
  const why = reasonToStop(table)
  if (why !== undefined) throw damaged(clone, table.damage.badLines > 0 ? WHY_DAMAGED : why)
  const objects = objectsHere(place, clone, heldFiles(place, clone).keys())
  const note = readSyncNote(place.paths)
  const tracked = (await trackedTips({ repository: place.paths.git, env: place.settings.env })).get(clone)
  const tip = tracked ?? note?.chains[clone]?.tip
  if (tip === undefined) return objects
  const there = await objectsAt(place, clone, tip)
  // The commit of a branch that is gone may be gone as well.
  if (there === undefined ? tracked === undefined : isSame(objects, there)) return objects
  const applied = note?.chains[clone]
  if (note !== undefined && applied !== undefined) {
    note.chains[clone] = { tip: applied.tip, log: {} }
    writeSyncNote(place.paths, place.settings, note)
  }
  throw damaged(clone, 'it is not what the remote has of it')
}

/** A gap and a base that is not whole count as damaged lines. */
const WHY_DAMAGED = 'it holds damaged lines, or lacks some'

function damaged(clone: string, why: string): ConflictError {
  return new ConflictError(
    `our copy of ${clone} is not whole, and nothing of it is taken over or deleted: ${why}`,
    {
      code: 'chain-damaged',
      hint: /newer gt|ops that/.test(why) ? 'update gt' : 'gt doctor --fix; gt sync; then again',
      details: { clone, why },
    },
  )
}
