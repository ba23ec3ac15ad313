import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Finding, Mended } from '../../domain/finding.js'
import { randomId } from '../../domain/ids.js'
import { writeAtomically } from '../../system/atomic-write.js'
import type { EntityTable } from '../entity-table.js'
import { blobRef } from '../read-op.js'
import { errorCode } from '../segment-bytes.js'
import { openAside } from './aside.js'
import { shownEvents } from './check-state.js'
import { everyRef, type Repository, readObject } from './committed-files.js'
import { count } from './count.js'

const BLOB_NAME = /^[0-9a-f]{64}$/
/** So much is read and hashed in any case; more with `--deep`. */
const QUICK_BYTES = 64 * 1024 * 1024

/** Long texts: there, and what their names say. */
export async function checkBlobs(at: Repository, table: EntityTable, isDeep: boolean): Promise<Finding[]> {
  const { blob: directory } = at.paths
  const present = new Set(readdirSync(directory).filter((name) => BLOB_NAME.test(name)))
  const named = namedBlobs(table)
  const missing = [...named].filter((name) => !present.has(name))
  const { damaged, unread } = hashAll(directory, present, isDeep)
  const bad = [...missing, ...damaged]
  const committed = bad.length === 0 ? new Map<string, string>() : await committedBlobs(at, bad)
  return [
    ...bad.map((name) => badBlob(at, name, missing.includes(name), committed.get(name))),
    ...(unread > 0 ? [notHashed(unread)] : []),
    ...(bad.length === 0 && present.size > 0 ? [allWhole(present.size)] : []),
  ]
}

/** What any value of any entity or event refers to. */
function namedBlobs(table: EntityTable): Set<string> {
  const names = new Set<string>()
  const note = (value: unknown) => {
    const name = blobRef(value)
    if (name !== undefined) names.add(name)
  }
  for (const state of table.overlay.values()) {
    for (const [, value] of Object.values(state.reg)) note(value)
    for (const [, , , value] of Object.values(state.grd)) note(value)
    for (const [, , text] of state.say) note(text)
  }
  for (const { data } of shownEvents(table)) for (const value of Object.values(data)) note(value)
  return names
}

function hashAll(
  directory: string,
  names: ReadonlySet<string>,
  isDeep: boolean,
): { damaged: string[]; unread: number } {
  const { createHash } = process.getBuiltinModule('node:crypto')
  const damaged: string[] = []
  let unread = 0
  let bytes = 0
  for (const name of names) {
    const path = join(directory, name)
    try {
      bytes += statSync(path).size
      if (!isDeep && bytes > QUICK_BYTES) unread++
      else if (createHash('sha256').update(readFileSync(path)).digest('hex') !== name) damaged.push(name)
    } catch (error) {
      if (errorCode(error) === undefined) throw error
      damaged.push(name)
    }
  }
  return { damaged, unread }
}

/** Git's name of each, where history holds it under its name. */
async function committedBlobs(at: Repository, names: readonly string[]): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for await (const files of everyRef(at)) {
    for (const name of names) {
      const file = files.get(`blob/${name}`)
      if (file !== undefined) found.set(name, file.blob)
    }
  }
  return found
}

function badBlob(at: Repository, name: string, isMissing: boolean, object: string | undefined): Finding {
  return {
    id: isMissing ? 'blob-missing' : 'blob-damaged',
    severity: 'error',
    what: `a long text ${isMissing ? 'is missing' : 'is damaged or cannot be read'}: ${name.slice(0, 12)}…`,
    where: `blob/${name}`,
    ...(object === undefined
      ? { hint: 'history does not hold it; another machine of this town may: gt sync' }
      : { fix: { what: 'restore it from history', apply: () => restoreBlob(at, name, object, isMissing) } }),
  }
}

async function restoreBlob(
  at: Repository,
  name: string,
  object: string,
  isMissing: boolean,
): Promise<Mended> {
  const { createHash } = process.getBuiltinModule('node:crypto')
  const bytes = await readObject(at, object)
  if (bytes === undefined || createHash('sha256').update(bytes).digest('hex') !== name) {
    return { did: 'nothing', left: `the copy of blob/${name} in history is damaged, too` }
  }
  const path = join(at.paths.blob, name)
  const aside = openAside(at)
  const undo = isMissing ? {} : { undo: aside.move(path) }
  const temporary = join(at.paths.blob, `.tmp-${randomId(at.settings.random.bytes(10), 10)}`)
  writeAtomically(path, bytes, { temporary })
  return { did: `restored blob/${name} from history`, ...undo }
}

function notHashed(unread: number): Finding {
  return {
    id: 'blob-not-hashed',
    severity: 'note',
    what: `${count(unread, 'long text')} not read: gt doctor --deep reads all`,
  }
}

function allWhole(number: number): Finding {
  return { id: 'blobs', severity: 'ok', what: `long texts: ${number}, each what its name says` }
}
