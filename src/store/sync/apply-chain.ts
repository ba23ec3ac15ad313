import { linkSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { randomId } from '../../domain/ids.js'
import { syncDirectory, writeAtomically } from '../../system/atomic-write.js'
import { LOG_FILE, type StorePaths } from '../layout.js'
import { beginEpoch } from '../log-epoch.js'
import { errorCode, isMissing } from '../segment-bytes.js'
import type { StoreSettings } from '../store-options.js'
import { type ChainPlan, isBase } from './plan-chain.js'

export interface Place {
  paths: StorePaths
  settings: StoreSettings
}

const TEMPORARY = /^incoming-.*\.tmp$/

/** What a killed sync left: never named by anything. */
export function removeLeftovers({ paths }: Place): void {
  for (const name of readdirSync(paths.local)) {
    if (TEMPORARY.test(name)) rmSync(join(paths.local, name), { force: true })
  }
}

/** Our copy of a chain, by name in log/. */
export function heldFiles({ paths }: Place, clone: string): Map<string, () => Buffer> {
  const held = new Map<string, () => Buffer>()
  for (const name of readdirSync(paths.log).sort()) {
    if (LOG_FILE.exec(name)?.[1] === clone) held.set(name, () => readFileSync(join(paths.log, name)))
  }
  return held
}

/** As heldFiles, read at once. */
export function heldContent(place: Place, clone: string): Map<string, Buffer> {
  return new Map([...heldFiles(place, clone)].map(([name, read]) => [name, read()]))
}

/** Blobs come before the lines that name them. */
export function writeBlob(place: Place, name: string, content: Buffer): void {
  install(place, join(place.paths.blob, name), content)
  place.settings.onStep('sync:blob-written')
}

/**
 * Puts the planned files in place, each whole or not at all; repeatable after a kill at any point.
 * @param aside - folder that keeps what is replaced or deleted
 */
export function applyChain(place: Place, plan: ChainPlan, aside?: string): void {
  const { paths, settings } = place
  if (aside !== undefined) mkdirSync(aside, { recursive: true, mode: 0o700 })
  for (const { name, content } of plan.writes) {
    const path = join(paths.log, name)
    if (aside !== undefined) keep(path, join(aside, name))
    install(place, path, content)
    settings.onStep(isBase(name) ? 'sync:base-written' : 'sync:segment-written')
  }
  if (plan.writes.some(({ isReplacement }) => isReplacement)) beginEpoch(paths, settings)
  for (const name of plan.deletes) {
    if (aside !== undefined) renameSync(join(paths.log, name), join(aside, name))
    else rmSync(join(paths.log, name), { force: true })
    settings.onStep('sync:deleted')
  }
  if (settings.isDurable && plan.deletes.length > 0) syncDirectory(paths.log)
}

/** The same file under a second name: a writer that still has it open writes into what is kept. */
function keep(path: string, other: string): void {
  try {
    linkSync(path, other)
  } catch (error) {
    if (!isMissing(error) && errorCode(error) !== 'EEXIST') throw error
  }
}

function install({ paths, settings }: Place, path: string, content: Buffer): void {
  writeAtomically(path, content, {
    temporary: join(paths.local, `incoming-${randomId(settings.random.bytes(10), 10)}.tmp`),
    durable: settings.isDurable,
  })
}
