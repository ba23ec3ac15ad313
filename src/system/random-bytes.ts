import { closeSync, openSync, readSync } from 'node:fs'

/** From the kernel without loading node:crypto, which costs a cold process 1 to 5 ms. */
export function randomBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  const file = openSync('/dev/urandom', 'r')
  try {
    readSync(file, bytes, 0, length, null)
  } finally {
    closeSync(file)
  }
  return bytes
}
