import { dirname } from 'node:path'
import { ExternalError } from '../domain/errors.js'
import { printable } from '../domain/ids.js'
import type { Town } from './town.js'

/** Only into a folder that is there, and never in the place of something that is no file. @throws ExternalError code `not-written` */
export function writeExport({ host }: Town, path: string, text: string): void {
  const folder = dirname(path)
  if (host.listFolder(path) !== undefined) throw notWritten(path, 'it is a folder')
  if (host.listFolder(folder) === undefined)
    throw notWritten(path, `there is no folder ${printable(folder, 300)}, or it cannot be read`)
  if (host.exists(path) && host.fingerprint(path) === undefined)
    throw notWritten(path, 'what is there is no file that can be read')
  try {
    host.writeFile(path, text)
  } catch (error) {
    throw notWritten(path, (error as Error).message, error)
  }
}

function notWritten(path: string, why: string, cause?: unknown): ExternalError {
  return new ExternalError(`${printable(path, 300)} cannot be written: ${why}`, {
    code: 'not-written',
    hint: 'nothing was exported: name a file in a folder that is there',
    cause,
  })
}
