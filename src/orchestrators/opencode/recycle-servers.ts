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
    const records = deps.sessions
      .list()
      .filter(({ server: n, generation }) => n === server.n && generation === server.generation)
    const isIdle = await Promise.all(records.map((record) => rests(server, record)))
    if (isIdle.every(Boolean)) await restartWith(deps, server, records).catch(() => undefined)
  }
}

async function rests(server: ServerRecord, record: SessionRecord): Promise<boolean> {
  if (record.awaiting !== undefined) return false
  try {
    return (await askActivity(server, record))?.kind === 'idle'
  } catch {
    return false
  }
}

async function restartWith(
  deps: SpawnDeps,
  server: ServerRecord,
  records: readonly SessionRecord[],
): Promise<void> {
  const fresh = await deps.pool.restart(server.n)
  for (const record of records) {
    if (deps.sessions.find(record.agent)?.sessionId !== record.sessionId) continue
    deps.sessions.write({ ...record, generation: fresh.generation })
    await takeUp(fresh, record)
  }
  deps.pool.settle(server.n)
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
