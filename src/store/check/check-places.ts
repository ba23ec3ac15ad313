import { existsSync, readdirSync, readFileSync, statfsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Finding } from '../../domain/finding.js'
import { isAlive } from '../../system/process-table.js'
import { createStore } from '../create-store.js'
import { refusedFileSystem } from '../file-system-kind.js'
import { errorCode } from '../segment-bytes.js'
import { asideDirectory, openAside } from './aside.js'
import type { Repository } from './committed-files.js'
import { count } from './count.js'
import { repairNotePath } from './repair-log.js'

const LEAST_FREE_BYTES = 200 * 1024 * 1024
/** Any of our processes is done with a temporary file in a fraction of this. */
const LEFT_OVER_MS = 3_600_000
const LOCK_STALE_MS = 600_000

/** The directory itself: its disk, its folders, and what dead processes left in them. */
export function checkPlaces(at: Repository): Finding[] {
  const findings = [
    ...checkDisk(at),
    ...checkFolders(at),
    ...checkLeftOvers(at),
    ...checkLocks(at),
    ...checkRepairNote(at),
  ]
  const isWell = findings.every(({ severity }) => severity === 'ok' || severity === 'note')
  return [
    ...findings,
    ...checkAside(at),
    ...(isWell
      ? [{ id: 'store', severity: 'ok' as const, what: 'disk, folders and locks are in order' }]
      : []),
  ]
}

function checkDisk({ paths }: Repository): Finding[] {
  const disk = statfsSync(paths.root)
  const name = refusedFileSystem(disk.type)
  const freeBytes = disk.bavail * disk.bsize
  return [
    ...(name === undefined
      ? []
      : [
          {
            id: 'network-file-system',
            severity: 'error' as const,
            what: `the store lies on ${name}, where concurrent appends can overwrite each other`,
            where: paths.root,
            hint: 'put the town on a local disk',
          },
        ]),
    ...(freeBytes >= LEAST_FREE_BYTES
      ? []
      : [
          {
            id: 'disk-space',
            severity: 'warning' as const,
            what: `only ${Math.floor(freeBytes / 1024 / 1024)} MB free: when the disk is full nothing can be recorded`,
            where: paths.root,
            hint: 'free some space',
          },
        ]),
  ]
}

function checkFolders(at: Repository): Finding[] {
  const { root, blob, cache, local, log } = at.paths
  const missing = [blob, cache, local, log].filter((folder) => !existsSync(folder))
  if (missing.length === 0) return []
  const names = missing.map((folder) => folder.slice(root.length + 1)).join(', ')
  return [
    {
      id: 'store-folder-missing',
      severity: 'error',
      what: `folders of the store are missing: ${names}`,
      where: root,
      fix: {
        what: 'make them again',
        async apply() {
          await createStore(root, { env: at.settings.env })
          return { did: `made ${names} again` }
        },
      },
    },
  ]
}

/** Temporary files whose writer was killed. */
function checkLeftOvers(at: Repository): Finding[] {
  const { paths, settings } = at
  const found = [paths.log, paths.blob, paths.cache, paths.local].flatMap((folder) =>
    list(folder)
      .filter((name) => /\.tmp(\.ready)?$|^\.tmp-|^config\.json\.\d+$/.test(name))
      .map((name) => join(folder, name))
      .filter((path) => isOld(path, settings.now(), LEFT_OVER_MS) && !hasLivingOwner(path)),
  )
  if (found.length === 0) return []
  return [
    {
      id: 'left-over-files',
      severity: 'warning',
      what: `${count(found.length, 'temporary file')} of killed processes`,
      where: found[0]?.slice(paths.root.length + 1) ?? '',
      fix: {
        what: 'set them aside',
        async apply() {
          const aside = openAside(at)
          for (const path of found) if (existsSync(path)) aside.move(path)
          return { did: `set ${count(found.length, 'temporary file')} aside`, undo: aside.name }
        },
      },
    },
  ]
}

function list(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : []
}

function isOld(path: string, nowMs: number, ageMs: number): boolean {
  const stat = statSync(path, { throwIfNoEntry: false })
  return stat !== undefined && nowMs - stat.mtimeMs > ageMs
}

/** A name that ends in a pid: only a living process of that number can be its writer. */
function hasLivingOwner(path: string): boolean {
  const pid = /\.(\d+)$/.exec(path)?.[1]
  return pid !== undefined && existsSync(`/proc/${pid}`)
}

/** A lock of a dead process is broken by whoever wants it next; one that nobody wants lies there and confuses people. */
function checkLocks(at: Repository): Finding[] {
  const { local } = at.paths
  const dead = list(local)
    .filter((name) => name.endsWith('.lock'))
    .filter((name) => isDeadLock(join(local, name), at.settings.now()))
  if (dead.length === 0) return []
  return [
    {
      id: 'stale-lock',
      severity: 'warning',
      what: `${count(dead.length, 'lock')} of dead processes: ${dead.join(', ')}`,
      where: `local/${dead[0]}`,
      fix: {
        what: 'set them aside',
        async apply() {
          const aside = openAside(at)
          const moved = dead.filter((name) => isDeadLock(join(local, name), at.settings.now()))
          for (const name of moved) aside.move(join(local, name))
          return { did: `set ${moved.join(', ')} aside`, undo: aside.name }
        },
      },
    },
  ]
}

/** One that names its holder lives as long as that does; one that does not is old or not. */
function isDeadLock(path: string, nowMs: number): boolean {
  try {
    const { pid, startTime } = JSON.parse(readFileSync(path, 'utf8')) as {
      pid?: unknown
      startTime?: unknown
    }
    if (typeof pid === 'number' && typeof startTime === 'string') return !isAlive(pid, startTime)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false
  }
  return isOld(path, nowMs, LOCK_STALE_MS)
}

function checkRepairNote({ paths, settings }: Repository): Finding[] {
  const path = repairNotePath(paths.local)
  const lock = join(paths.local, 'repair.lock')
  // Under a living repair the note is as it should be.
  if (!existsSync(path) || (existsSync(lock) && !isDeadLock(lock, settings.now()))) return []
  return [
    {
      id: 'repair-interrupted',
      severity: 'warning',
      what: 'a repair was interrupted',
      where: 'local/repairing',
    },
  ]
}

/** Kept for people: gt never deletes it. */
function checkAside({ paths }: Repository): Finding[] {
  const entries = list(asideDirectory(paths.local))
  if (entries.length === 0) return []
  return [
    {
      id: 'aside',
      severity: 'note',
      what: `${count(entries.length, 'repair')} left originals in local/aside: delete them when you have looked`,
      where: asideDirectory(paths.local),
    },
  ]
}
