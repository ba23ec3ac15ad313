import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { getuid } from 'node:process'

/** sun_path holds 104 bytes on macOS, 108 on Linux, the closing zero included. */
export const SOCKET_PATH_LIMIT_BYTES = 103

/**
 * Where the tmux server of a town listens. A function of the town's path alone: a person's shell, the supervisor and
 * an agent have different TMPDIR and XDG_RUNTIME_DIR, and all must find the same server.
 *
 * @param townRoot - real path of the town
 */
export function tmuxSocketPath(townRoot: string): string {
  const inTown = join(townRoot, 'run', 'tmux', 'socket')
  if (Buffer.byteLength(inTown) <= SOCKET_PATH_LIMIT_BYTES) return inTown
  const digest = createHash('sha256').update(townRoot).digest('hex').slice(0, 12)
  return `/tmp/gt-${getuid?.() ?? 0}/${digest}/socket`
}
