import { statfsSync } from 'node:fs'
import { ConfigError } from '../domain/errors.js'

/** `f_type` of statfs(2) where O_APPEND of two machines can overwrite each other. */
const REFUSED = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xfe534d42, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0x01021997, '9p'],
])

/** @returns its name when a store must not lie on a file system of this type */
export function refusedFileSystem(type: number): string | undefined {
  return REFUSED.get(type >>> 0)
}

/** @throws ConfigError code `network-file-system` */
export function checkFileSystem(directory: string): void {
  const name = refusedFileSystem(statfsSync(directory).type)
  if (name === undefined) return
  throw new ConfigError(`${directory} is on ${name}, where concurrent appends can overwrite each other`, {
    code: 'network-file-system',
    hint: 'put the town on a local disk',
    details: { path: directory, fileSystem: name },
  })
}
