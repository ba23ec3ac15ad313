import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { NotFoundError } from '../domain/errors.js'
import { printable } from '../domain/ids.js'

export interface Whereabouts {
  /** --town */
  town?: string
  cwd: string
  env: Readonly<Record<string, string | undefined>>
}

/**
 * Which town a command is about: --town, else GT_TOWN, else the nearest folder upwards that is one, else ~/gt.
 * @throws NotFoundError code `no-town`
 */
export function locateTown(where: Whereabouts): string {
  const found = findTown(where)
  if (found !== undefined) return found
  throw new NotFoundError('there is no town here, and none in ~/gt', {
    code: 'no-town',
    hint: 'make one: gt init · or look around first: gt demo',
    details: { cwd: where.cwd },
  })
}

export function findTown({ town, cwd, env }: Whereabouts): string | undefined {
  const named = town ?? (env.GT_TOWN || undefined)
  if (named !== undefined) {
    const root = resolve(cwd, named)
    if (isTown(root)) return root
    throw new NotFoundError(`${printable(root, 300)} is not a town: it has no town.toml`, {
      code: 'no-town',
      hint: `make one there: gt init ${printable(named, 300)}`,
      details: { town: root, from: town === undefined ? 'GT_TOWN' : '--town' },
    })
  }
  for (let dir = resolve(cwd); ; dir = dirname(dir)) {
    if (isTown(dir)) return dir
    if (dir === dirname(dir)) break
  }
  const home = defaultTown(env)
  return home !== undefined && isTown(home) ? home : undefined
}

export function defaultTown(env: Readonly<Record<string, string | undefined>>): string | undefined {
  return env.HOME ? join(env.HOME, 'gt') : undefined
}

export function isTown(dir: string): boolean {
  return existsSync(join(dir, 'town.toml'))
}
