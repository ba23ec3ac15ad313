import { lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { StoreSize } from '../../ports/upkeep.js'
import { type EntityState, fieldValue, isVisible } from '../entity-state.js'
import { LogState } from '../log-state.js'
import { packState } from '../packed-state.js'
import { blobRef } from '../read-op.js'
import { isMissing } from '../segment-bytes.js'
import { allStates } from './check-state.js'
import type { Repository } from './committed-files.js'
import { parseLogName } from './scan-log.js'

const LARGEST = 10

/** Where the bytes are. Sizes of entities are those of their present state, texts in `blob/` included. */
export function storeSize({ paths, settings }: Repository): StoreSize {
  const log = new LogState(paths, settings.now)
  try {
    log.refresh()
    return log.query((table) => {
      const entities = [...allStates(table)].filter(isVisible).map((state) => {
        const title = fieldValue(state, 'title')
        return {
          id: table.shownId({ state, row: -1 }),
          kind: state.k ?? '',
          title: typeof title === 'string' ? title : '',
          sizeBytes: Buffer.byteLength(JSON.stringify(packState(state))) + blobBytes(paths.blob, state),
        }
      })
      return {
        ...folderSizes(paths),
        events: { count: table.events.length, sizeBytes: Buffer.byteLength(JSON.stringify(table.events)) },
        kinds: byKind(entities),
        largest: entities.sort((a, b) => b.sizeBytes - a.sizeBytes).slice(0, LARGEST),
      }
    })
  } finally {
    log.close()
  }
}

function folderSizes(paths: Repository['paths']): Pick<StoreSize, 'totalBytes' | 'parts' | 'clones'> {
  const parts = Object.entries({
    log: paths.log,
    blob: paths.blob,
    cache: paths.cache,
    local: paths.local,
    history: paths.git,
  }).map(([name, path]) => ({ name, ...treeSize(path) }))
  return {
    totalBytes: parts.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    parts,
    clones: cloneSizes(paths.log),
  }
}

function cloneSizes(log: string): StoreSize['clones'] {
  const clones = new Map<string, StoreSize['clones'][number]>()
  for (const name of readdirSync(log)) {
    const file = parseLogName(name)
    if (file === undefined) continue
    const size = clones.get(file.clone) ?? {
      clone: file.clone,
      segments: 0,
      segmentBytes: 0,
      bases: 0,
      baseBytes: 0,
    }
    const { sizeBytes } = treeSize(join(log, name))
    if (file.isBase) {
      size.bases++
      size.baseBytes += sizeBytes
    } else {
      size.segments++
      size.segmentBytes += sizeBytes
    }
    clones.set(file.clone, size)
  }
  return [...clones.values()]
}

function treeSize(path: string): { files: number; sizeBytes: number } {
  try {
    const stat = lstatSync(path)
    if (!stat.isDirectory()) return { files: 1, sizeBytes: stat.size }
    const total = { files: 0, sizeBytes: 0 }
    for (const name of readdirSync(path)) {
      const { files, sizeBytes } = treeSize(join(path, name))
      total.files += files
      total.sizeBytes += sizeBytes
    }
    return total
  } catch (error) {
    // Gone meanwhile: compaction and git replace files.
    if (isMissing(error)) return { files: 0, sizeBytes: 0 }
    throw error
  }
}

function blobBytes(directory: string, state: EntityState): number {
  const values = [
    ...Object.values(state.reg).map(([, value]) => value),
    ...Object.values(state.grd).map(([, , , value]) => value),
    ...state.say.map(([, , text]) => text),
  ]
  const names = new Set(values.flatMap((value) => blobRef(value) ?? []))
  return [...names].reduce((sum, name) => sum + treeSize(join(directory, name)).sizeBytes, 0)
}

function byKind(entities: readonly { kind: string; sizeBytes: number }[]): StoreSize['kinds'] {
  const kinds = new Map<string, StoreSize['kinds'][number]>()
  for (const { kind, sizeBytes } of entities) {
    const sum = kinds.get(kind) ?? { kind, count: 0, sizeBytes: 0 }
    sum.count++
    sum.sizeBytes += sizeBytes
    kinds.set(kind, sum)
  }
  return [...kinds.values()].sort((a, b) => b.sizeBytes - a.sizeBytes)
}
