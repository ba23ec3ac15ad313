import { accessSync, constants, statSync } from 'node:fs'
import { isAbsolute, join, resolve } from 'node:path'

/**
 * Where execvp would find a program. Looked up before the start, because in a pane a missing program is only an exit code.
 *
 * @param cwd - what a relative name with a slash, and a relative entry of the path, starts from
 */
export function findProgram(name: string, path: string, cwd: string): string | undefined {
  if (name === '') return undefined
  if (name.includes('/')) return isProgram(resolve(cwd, name)) ? resolve(cwd, name) : undefined
  for (const folder of path.split(':')) {
    const candidate = join(isAbsolute(folder) ? folder : resolve(cwd, folder), name)
    if (isProgram(candidate)) return candidate
  }
  return undefined
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return statSync(file).isFile()
  } catch {
    return false
  }
}
