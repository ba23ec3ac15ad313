import { resolve } from 'node:path'

/** The address of a git remote as typed; a path means the same from any folder. */
export function remoteAddress(typed: string, cwd: string): string {
  const isAddress = /^[a-z][a-z0-9+.-]*:\/\//i.test(typed) || /^[^/\s:]+:/.test(typed)
  return isAddress || typed === '' || typed.startsWith('-') ? typed : resolve(cwd, typed)
}
