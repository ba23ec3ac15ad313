import { lstatSync, type Stats } from 'node:fs'

/** What is at a path itself, links not followed; undefined for nothing, also when a parent of it is a file. */
export function factsOf(path: string): Stats | undefined {
  try {
    return lstatSync(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw error
  }
}
