import { expect } from 'vitest'
import type { Finding, Mended } from '../../../src/domain/finding.js'
import { openUpkeep } from '../../../src/store/open-upkeep.js'
import type { StoreOptions } from '../../../src/store/store-options.js'

export async function examine(
  dir: string,
  options: StoreOptions & { deep?: boolean } = {},
): Promise<Finding[]> {
  return openUpkeep(dir, options).check({ deep: options.deep ?? false })
}

export async function problems(dir: string, options: StoreOptions = {}): Promise<Finding[]> {
  return (await examine(dir, options)).filter(
    ({ severity }) => severity === 'error' || severity === 'warning',
  )
}

export async function problemIds(dir: string, options: StoreOptions = {}): Promise<string[]> {
  return [...new Set((await problems(dir, options)).map(({ id }) => id))].sort()
}

/** As `gt doctor --fix`: applies every fix once, looks again, until nothing is left to try. */
export async function mend(dir: string, options: StoreOptions = {}): Promise<Mended[]> {
  const done: Mended[] = []
  const tried = new Set<string>()
  for (let round = 0; round < 4; round++) {
    const found = (await problems(dir, options)).filter(({ id, where }) => !tried.has(`${id} ${where}`))
    for (const { id, where } of found) tried.add(`${id} ${where}`)
    const fixes = new Set(found.flatMap(({ fix }) => fix ?? []))
    if (fixes.size === 0) return done
    for (const fix of fixes) done.push(await fix.apply())
  }
  return done
}

/** Mends, and expects that nothing is left. @param except - ids that do not matter */
export async function mendAll(dir: string, ...except: string[]): Promise<Mended[]> {
  const done = await mend(dir)
  expect((await problems(dir)).filter(({ id }) => !except.includes(id))).toEqual([])
  expect(done.flatMap(({ left }) => left ?? [])).toEqual([])
  return done
}
