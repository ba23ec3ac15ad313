import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { writeAtomically } from '../../system/atomic-write.js'

/** Small JSON files that hold secrets or decide about processes: whole or not at all, for the user's eyes only. */
export function writePrivate(path: string, value: unknown): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`
  // Not flushed: after a power cut none of the processes that it speaks of is left.
  writeAtomically(path, `${JSON.stringify(value)}\n`, { temporary, mode: 0o600, durable: false })
}

/** @returns undefined when there is none, or what is there is not an object of this format */
export function readPrivate(path: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'))
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
    // Checked just before.
    return isObject && (value as { formatVersion?: unknown }).formatVersion === 1
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}

/** Paths of the JSON files of a folder, by name; none when there is no folder. */
export function listPrivate(dir: string): string[] {
  try {
    return readdirSync(dir)
      .filter((name) => name.endsWith('.json'))
      .sort()
      .map((name) => join(dir, name))
  } catch {
    return []
  }
}

export function removePrivate(path: string): void {
  rmSync(path, { force: true })
}
