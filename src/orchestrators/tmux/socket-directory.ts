import { mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { getuid } from 'node:process'
import { OperationError, UsageError } from '../../domain/errors.js'
import { SOCKET_PATH_LIMIT_BYTES } from './socket-path.js'

/**
 * Makes the socket's directory, closed to others (0700). One that was there is left as it is, for it may be anybody's,
 * but must be ours and closed for writing: who can write there can put another server in the place of ours.
 *
 * @throws UsageError `socket-path-too-long`, OperationError `unsafe-socket-directory`
 */
export function ensureSocketDirectory(socketPath: string): void {
  const bytes = Buffer.byteLength(socketPath)
  if (bytes > SOCKET_PATH_LIMIT_BYTES) {
    throw new UsageError(
      `the socket path ${socketPath} has ${bytes} bytes; systems allow ${SOCKET_PATH_LIMIT_BYTES}`,
      {
        code: 'socket-path-too-long',
        hint: 'use a shorter directory',
        details: { socketPath },
      },
    )
  }
  const directory = dirname(socketPath)
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const found = statSync(directory)
  const isOurs = getuid === undefined || found.uid === getuid()
  if (isOurs && (found.mode & 0o022) === 0) return
  throw new OperationError(`others can write to ${directory}, where the tmux socket should be`, {
    code: 'unsafe-socket-directory',
    hint: isOurs ? `chmod 700 ${directory}` : `remove ${directory}`,
    details: { directory, mode: (found.mode & 0o7777).toString(8), uid: found.uid },
  })
}
