import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { GtError } from '../../domain/errors.js'
import type { Finding, Mended } from '../../domain/finding.js'
import { writeAtomically } from '../../system/atomic-write.js'
import {
  type CloneIdentity,
  currentPlace,
  encodeIdentity,
  freshIdentity,
  isAt,
  readIdentity,
} from '../clone-identity.js'
import { createStore } from '../create-store.js'
import { FORMAT } from '../layout.js'
import { errorCode } from '../segment-bytes.js'
import { openAside } from './aside.js'
import type { Repository } from './committed-files.js'

export interface CheckedIdentity {
  identity: CloneIdentity | undefined
  findings: Finding[]
}

/** Who writes here. Without an answer nothing can be repaired, since nobody knows which chain is ours. */
export function checkIdentity(at: Repository): CheckedIdentity {
  try {
    const identity = readIdentity(at.paths.clone)
    if (identity !== undefined && identity.format > FORMAT) {
      return { identity, findings: [newer(identity.format)] }
    }
    if (identity === undefined) return { identity, findings: [noIdentity(at)] }
    return { identity, findings: isAt(identity, currentPlace(at.paths.root)) ? [] : [moved(identity)] }
  } catch (error) {
    if (!(error instanceof GtError) && errorCode(error) === undefined) throw error
    return { identity: undefined, findings: [damagedIdentity(at, error as Error)] }
  }
}

function newer(format: number): Finding {
  return {
    id: 'store-format',
    severity: 'error',
    what: `the store was written by a newer gt (format ${format}; this one writes ${FORMAT}): it is only read`,
    where: 'local/clone',
    hint: 'update gt',
  }
}

function moved({ clone, createdAt }: CloneIdentity): Finding {
  return {
    id: 'store-moved',
    severity: 'note',
    what: `this directory was copied or moved since ${createdAt}: the next write takes a new id instead of ${clone}`,
    where: 'local/clone',
  }
}

function noIdentity(at: Repository): Finding {
  return {
    id: 'store-identity',
    severity: 'warning',
    what: 'local/clone is gone: it says under which id this directory writes',
    where: 'local/clone',
    fix: { what: 'make it again', apply: () => remakeIdentity(at, []) },
  }
}

function damagedIdentity(at: Repository, error: Error): Finding {
  return {
    id: 'store-identity',
    severity: 'error',
    what: error.message,
    where: 'local/clone',
    fix: { what: 'set it aside and make it again', apply: () => remakeIdentity(at, ['clone']) },
  }
}

/**
 * The first identity is kept twice, so it is mostly found again. Where both are damaged, the branch that HEAD of the history
 * names tells, and that chain stays ours.
 */
async function remakeIdentity(at: Repository, damaged: readonly string[]): Promise<Mended> {
  const { paths } = at
  const aside = openAside(at)
  mkdirSync(paths.local, { recursive: true, mode: 0o700 })
  for (const name of damaged) if (existsSync(join(paths.local, name))) aside.move(join(paths.local, name))
  const broken = readdirSync(paths.local).filter(
    (name) => name.startsWith('after-') && !isIdentity(join(paths.local, name)),
  )
  for (const name of broken) aside.move(join(paths.local, name))
  if (broken.length > 0 || !existsSync(join(paths.local, 'after-first'))) adoptHead(at)
  const { clone } = await createStore(paths.root, { env: at.settings.env })
  return {
    did: `made local/clone again: this directory writes as ${clone}`,
    ...(damaged.length + broken.length > 0 ? { undo: aside.name } : {}),
  }
}

function isIdentity(path: string): boolean {
  try {
    return readIdentity(path) !== undefined
  } catch {
    return false
  }
}

function adoptHead({ paths, settings }: Repository): void {
  try {
    const head = readFileSync(join(paths.git, 'HEAD'), 'utf8')
    const clone = /^ref: refs\/heads\/beads\/([0-9a-z]{5})$/m.exec(head)?.[1]
    if (clone === undefined) return
    const identity = { ...freshIdentity(settings, currentPlace(paths.root), []), clone }
    writeAtomically(paths.clone, encodeIdentity(identity), { temporary: `${paths.clone}.${clone}.tmp` })
  } catch (error) {
    // Without a history a new id is taken; the old chain is then read like anybody's.
    if (errorCode(error) !== 'ENOENT') throw error
  }
}
