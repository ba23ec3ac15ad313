/**
 * gt inside opencode: gives the model its context (prime), brings mail, tells gt what the session does, what it asks and
 * what it costs. It knows gt only as a program (`gt prime`, `gt mail check`, `gt report`). Built into one file, because it
 * runs inside opencode (Bun) and can import no package. One call of GasTown per directory; state is per session, and so is
 * the agent that a session works for: see identity.js. Written against opencode 1.18.33.
 */
import { createAsks } from './asks.js'
import { watchBells } from './bell.js'
import { createDesk } from './desk.js'
import { createEvents } from './events.js'
import { pause } from './gt-program.js'
import { refusalOf } from './guard.js'
import { createIdentities } from './identity.js'
import { createMail } from './mail.js'
import { createPrimes } from './prime.js'
import { writeRunFile } from './reporter.js'
import { createSessions, textsOf } from './sessions.js'
import { watchForStalls } from './stall.js'
import { createUsage } from './usage.js'

/** @param {{ client: import('@opencode-ai/sdk').OpencodeClient, directory: string }} input */
export const GasTown = async ({ client, directory }) => {
  const identities = createIdentities(process.env, strayProblem)
  if (!identities) return {}
  globalThis.gastownDirectories ??= new Set()
  if (globalThis.gastownDirectories.has(directory)) return {}
  globalThis.gastownDirectories.add(directory)

  const sessions = createSessions({ client, directory, identities })
  const desk = createDesk({ directory, identities, sessions, onAnswer: (answer) => hearOfAsks(answer) })
  const { gt, report, problem } = desk
  const mail = createMail({ client, directory, mode: process.env.GT_OPENCODE_MODE, ...desk })
  const asks = createAsks({ client, directory, report, problem, poll: desk.poll })
  const hearOfAsks = ({ asks: open = [] }) => asks.hear(open, (id) => sessions.known(id) ?? sessions.of(id))
  const usage = createUsage({ report })
  const primes = createPrimes({ gt, problem, solved: desk.solved })
  const events = createEvents({ client, directory, sessions, desk, mail, asks, usage, primes })

  const safe = (where, hook) => async (input, output) => {
    try {
      await hook(input, output)
    } catch (error) {
      problem(where, error, sessions.known(input?.sessionID))
    }
  }
  /** The session, when it is one of ours, and once it is known whose. */
  const ours = async (id) => {
    if (!id) return undefined
    const session = sessions.of(id)
    await session.ready
    return sessions.identityOf(session) ? session : undefined
  }

  const ring = (agent) => {
    const session = sessions.current(agent)
    if (session?.said === 'idle') mail.check(session)
    if (session && asks.isOpenFor((each) => each.root === session.root)) desk.poll(session)
  }
  const stopBells = watchBells({ identities, sessions, problem, ring })
  const stopCards = identities.watch((id) => events.lookAgain(id))
  const stopStalls = watchForStalls({ sessions, report, isAsking: asks.isOpenFor })
  // Later, because opencode cannot answer during this call.
  setTimeout(() => {
    for (const id of [process.env.GT_CONVERSATION, ...identities.cards(directory)]) events.lookAgain(id)
  }, 100)

  return {
    // Not awaited by the one who sends them: a slow lookup must not hold up opencode.
    event: async ({ event }) => events.take(event),
    'chat.message': safe('chat.message', (input, { message, parts }) => {
      const session = sessions.of(input.sessionID)
      session.agent = message.agent ?? session.agent
      events.arriving(message.id, textsOf(parts))
    }),
    'experimental.chat.system.transform': safe('system', async (input, { system }) => {
      if (system[0]?.startsWith('You are a title generator')) return
      const session = await ours(input.sessionID)
      if (session && !session.parent) await primes.intoSystem(session, system)
    }),
    'experimental.session.compacting': safe('compacting', async (input, { context }) => {
      const session = await ours(input.sessionID)
      if (session && !session.parent) await primes.intoCompaction(session, context)
    }),
    'shell.env': safe('shell.env', async (input, { env }) => {
      // A server's password, and the way to other agents' cards, are no business of a tool.
      for (const name of ['OPENCODE_SERVER_PASSWORD', 'GT_OPENCODE_CARDS']) env[name] = ''
      const session = await ours(input.sessionID)
      if (!session) return
      Object.assign(env, sessions.identityOf(session)?.env, { GT_SESSION_ID: session.root })
    }),
    'tool.execute.before': async (input, output) => {
      const refusal = { text: undefined }
      await safe('guard', async () => {
        if (input.tool !== 'bash') return
        const session = await ours(input.sessionID)
        const target = session && sessions.identityOf(session)?.env.GT_TARGET_BRANCH
        if (session) refusal.text = refusalOf(output.args?.command ?? '', target, directory)
      })(input, output)
      if (refusal.text) throw new Error(refusal.text) // How opencode is told to refuse a tool call.
    },
    dispose: safe('dispose', async () => {
      stopBells()
      stopCards()
      stopStalls()
      globalThis.gastownDirectories.delete(directory)
      await Promise.race([events.drain(), pause(1_000)])
      asks.dispose()
      usage.dispose()
      await mail.dispose()
      await Promise.race([desk.drain(), pause(4_000)])
    }),
  }
}

/** Trouble that belongs to no agent: of a server, before it is known who a session works for. */
function strayProblem(where, error) {
  const runDir = process.env.GT_RUN_DIR ?? `${process.env.GT_TOWN}/run`
  const line = {
    type: 'plugin.error',
    at: new Date().toISOString(),
    where,
    message: String(error?.message ?? error),
  }
  writeRunFile(runDir, 'plugin-errors', 'server.jsonl', `${JSON.stringify(line)}\n`)
}
