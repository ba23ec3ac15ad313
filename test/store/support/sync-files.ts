import { copyFileSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'

/**
 * What sync does with another clone's files: first what is new, bases before the rest, then what vanished. May be cut short.
 * @param isTheirs - names that belong to the other side; default: all
 */
export function syncFiles(from: string, to: string, steps = 9999, isTheirs = (_name: string) => true): void {
  const there = readdirSync(from).filter((name) => !name.startsWith('.') && isTheirs(name))
  const isBase = (name: string) => name.includes('.base')
  const order = [...there.filter(isBase).sort(), ...there.filter((name) => !isBase(name)).sort()]
  let left = steps
  for (const name of order) {
    if (left-- <= 0) return
    copyFileSync(join(from, name), join(to, name))
  }
  for (const name of readdirSync(to)) {
    if (!isTheirs(name) || there.includes(name)) continue
    if (left-- <= 0) return
    rmSync(join(to, name))
  }
}
