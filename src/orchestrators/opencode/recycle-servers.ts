import { givePrompt, readMessages } from './give-prompt.js'
import { describeInterruption, INTERRUPTION_LOOK_BACK } from './interruption.js'
import { askActivity } from './observe-sessions.js'
import { clientOf, within } from './server-client.js'
import type { ServerRecord } from './server-record.js'
import type { SessionRecord } from './session-record.js'
import type { SpawnDeps } from './spawn-session.js'

/**
 * Looks at the servers' memory. One that has too much gets no new session; once none of its sessions works, it is started
 * again on its port and they go on there: a conversation is in the database, not in the process.
 */
export async function recycleHeavy(deps: SpawnDeps): Promise<void> {
  for (const server of await deps.pool.markHeavy()) {
    if (await allRest(deps, server)) await restartWith(deps, server).catch(() => undefined)
  }
}

function sessionsOf(deps: SpawnDeps, server: ServerRecord): SessionRecord[] {
  return deps.sessions
    .list()
    .filter(({ server: n, generation }) => n === server.n && generation === server.generation)
}

async function allRest(deps: SpawnDeps, server: ServerRecord): Promise<boolean> {
  const isIdle = await Promise.all(sessionsOf(deps, server).map((record) => rests(server, record)))
  return isIdle.every(Boolean)
}

async function rests(server: ServerRecord, record: SessionRecord): Promise<boolean> {
  // Without an id it is being started: nobody could say yet that it is idle.
  if (record.sessionId === undefined || record.awaiting !== undefined) return false
  try {
    return (await askActivity(server, record))?.kind === 'idle'
  } catch {
    return false
  }
}

async function restartWith(deps: SpawnDeps, server: ServerRecord): Promise<void> {
  // Under the lock once more: of two that saw it idle one restarts it, and nothing is placed on it meanwhile.
  const fresh = await deps.pool.restart(server, () => allRest(deps, server))
  if (fresh === undefined) return
  try {
    const moved = sessionsOf(deps, server)
    for (const record of moved) deps.sessions.write({ ...record, generation: fresh.generation })
    // One that cannot be told leaves the others theirs: it is idle, and its next prompt finds it.
    for (const record of moved) await takeUp(fresh, record).catch(() => undefined)
  } finally {
    deps.pool.settle(server.n)
  }
}

/** What came in between the last look and the end of the old process was cut off, and is asked to go on. */
async function takeUp(server: ServerRecord, record: SessionRecord): Promise<void> {
  const { sessionId = '', agentName = 'build', model } = record
  const client = clientOf(server)
  const { data } = await client.session.get({ sessionID: sessionId }, within())
  const gt = (data?.metadata as { gt?: object } | undefined)?.gt
  const metadata = { gt: { ...gt, generation: server.generation } }
  await client.session.update({ sessionID: sessionId, metadata }, within())
  const cutOff = describeInterruption(await readMessages(server, sessionId, INTERRUPTION_LOOK_BACK))
  if (cutOff === undefined) return
  const text = `[gt] The server that you run on was started again. ${cutOff} Look at \`git status\`, and go on.`
  await givePrompt({ server, sessionId, text, agentName, ...(model === undefined ? {} : { model }) })
}
