import { join } from 'node:path'

/** Where the backend keeps its files; all of it below `<town>/run`, derived, and readable by the user alone. */
export interface OpencodePlaces {
  /** Becomes GT_TOWN of the servers. */
  townRoot: string
  /** `<run>/opencode` */
  dir: string
  /** One file for each server, one log beside it. */
  servers: string
  /** What the plugin reads: who a session is. */
  cards: string
  /** One file for each agent that has a session. */
  sessions: string
  /** Conversations of this town's server sessions: apart from those that the user has outside. */
  database: string
  /** Shared with other backends: an agent is started by one at a time. */
  locks: string
}

export function opencodePlaces(townRoot: string, runDir: string): OpencodePlaces {
  const dir = join(runDir, 'opencode')
  return {
    townRoot,
    dir,
    servers: join(dir, 'servers'),
    cards: join(dir, 'cards'),
    sessions: join(dir, 'sessions'),
    database: join(dir, 'opencode.db'),
    locks: join(runDir, 'locks'),
  }
}
