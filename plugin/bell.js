import { fileNameOf } from './reporter.js'
import { watchFolder } from './watch-folder.js'

/**
 * Calls `ring` with the agent for whom gt left something: mail, or an answer. gt touches a file per agent; no process runs
 * and nothing polls, unless watching fails.
 */
export function watchBells({ identities, sessions, problem, ring }) {
  const folder =
    process.env.GT_BELL_DIR ?? (identities.shared ? `${process.env.GT_TOWN}/run/bells` : undefined)
  if (!folder) return () => {}
  const heard = (name) => {
    const agents = new Set(sessions.all().flatMap((session) => sessions.identityOf(session)?.agent ?? []))
    for (const agent of agents) if (fileNameOf(agent) === name) ring(agent)
  }
  return watchFolder(folder, heard, problem)
}
