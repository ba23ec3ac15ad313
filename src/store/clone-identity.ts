import { linkSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { ConfigError } from '../domain/errors.js'
import { randomId } from '../domain/ids.js'
import { writeAtomically } from '../system/atomic-write.js'
import { crc32, hex32 } from '../system/crc32.js'
import { CLONE_PATTERN, FORMAT, type StorePaths } from './layout.js'
import { errorCode, isMissing } from './segment-bytes.js'
import type { StoreSettings } from './store-options.js'

/** Content of local/clone: who writes here, and where "here" was. */
export interface CloneIdentity {
  clone: string
  /** Fingerprint of the machine, or `none` where it has no id of its own. */
  machine: string
  /** `device:inode` of the store's directory. A copy has another inode. */
  place: string
  format: number
  createdAt: string
  /** Ids this directory wrote under before it was moved, copied or found in use elsewhere. Never written under again. */
  formerly: string[]
}

export interface Place {
  machine: string
  place: string
}

const CLONE = new RegExp(`^${CLONE_PATTERN}$`)
const MAX_MOVES = 100

/** @returns undefined when the directory has none yet */
export function readIdentity(path: string): CloneIdentity | undefined {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
  const identity = parseIdentity(text)
  if (identity === undefined) {
    throw new ConfigError(`${path} is damaged`, {
      code: 'store-identity',
      hint: 'remove it, it is made again; the log itself is not affected',
      details: { path },
    })
  }
  return identity
}

function parseIdentity(text: string): CloneIdentity | undefined {
  try {
    const value = JSON.parse(text) as Partial<CloneIdentity> | null
    const { clone, machine, place, format, createdAt = '', formerly = [] } = value ?? {}
    if (typeof clone !== 'string' || !CLONE.test(clone)) return undefined
    if (typeof machine !== 'string' || typeof place !== 'string' || typeof format !== 'number')
      return undefined
    return { clone, machine, place, format, createdAt, formerly: Array.isArray(formerly) ? formerly : [] }
  } catch {
    return undefined
  }
}

/**
 * The clone id to write under. A directory that was copied, restored or moved to another machine takes a new one before
 * its first write: two places appending under one id would each think the other's lines their own.
 */
export function ownIdentity(paths: StorePaths, settings: StoreSettings): CloneIdentity {
  const here = currentPlace(paths.root)
  let identity = readIdentity(paths.clone) ?? settle(paths, 'first', freshIdentity(settings, here, []))
  for (let moves = 0; !isAt(identity, here) && moves < MAX_MOVES; moves++) {
    const fresh = freshIdentity(settings, here, [...identity.formerly, identity.clone])
    identity = settle(paths, identity.clone, fresh)
  }
  return identity
}

/**
 * Processes that notice together must agree: the successor of a clone id is whatever first took the name
 * `after-<id>`, and only then becomes local/clone.
 */
export function settle(paths: StorePaths, predecessor: string, fresh: CloneIdentity): CloneIdentity {
  const claim = join(paths.local, `after-${predecessor}`)
  const temporary = join(paths.local, `clone.${fresh.clone}.tmp`)
  writeAtomically(`${temporary}.ready`, encodeIdentity(fresh), { temporary })
  try {
    linkSync(`${temporary}.ready`, claim)
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error
  } finally {
    rmSync(`${temporary}.ready`, { force: true })
  }
  const agreed = readIdentity(claim) ?? fresh
  writeAtomically(paths.clone, encodeIdentity(agreed), { temporary })
  return agreed
}

export function encodeIdentity(identity: CloneIdentity): string {
  return `${JSON.stringify(identity)}\n`
}

export function freshIdentity(settings: StoreSettings, here: Place, formerly: string[]): CloneIdentity {
  const createdAt = new Date(settings.now()).toISOString()
  return { clone: randomId(settings.random.bytes(5), 5), ...here, format: FORMAT, createdAt, formerly }
}

export function currentPlace(root: string): Place {
  const { dev, ino } = statSync(root, { bigint: true })
  return { machine: machineFingerprint(), place: `${dev}:${ino}` }
}

/** Only the inode decides: device numbers change between boots. */
export function isAt(identity: CloneIdentity, here: Place): boolean {
  const isSameMachine =
    identity.machine === here.machine || identity.machine === 'none' || here.machine === 'none'
  return isSameMachine && identity.place.split(':')[1] === here.place.split(':')[1]
}

/** Containers and macOS have no such file; host names change too easily to stand in for it. */
function machineFingerprint(): string {
  try {
    const id = readFileSync('/etc/machine-id', 'utf8').trim()
    return id === '' ? 'none' : hex32(crc32(Buffer.from(id)))
  } catch {
    return 'none'
  }
}
