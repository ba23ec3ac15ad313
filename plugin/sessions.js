/**
 * What is known of the conversations of one directory.
 *
 * @typedef {{ id: string, ready: Promise<void>, parent?: string, root: string, agent?: string, said?: string,
 *   prime?: Promise<string>, compacting?: boolean, compacted?: boolean, checking?: boolean, again?: boolean,
 *   createdAtMs: number, mailFailures: number, mayRemind?: boolean, startedFor?: string, isNew: boolean, trigger: string, hasWorked?: boolean,
 *   error?: { name: string, message: string, status?: number }, finish?: string, lastEventAt: number,
 *   tools: Set<string> }} Session
 *   `root`: the conversation that gt knows; a subagent's is its caller's. `trigger`: what started the running turn.
 */

/**
 * @param {{ client: import('@opencode-ai/sdk').OpencodeClient, directory: string,
 *   identities: import('./identity.js').Identities }} parts
 */
export function createSessions({ client, directory, identities }) {
  /** @type {Map<string, Session>} */
  const sessions = new Map()
  /** The conversation of each agent that was active last: the one a person would see. @type {Map<string, Session>} */
  const current = new Map()

  const lookUp = (id) =>
    client.session.get({ path: { id }, query: { directory } }).then((answer) => answer.data)

  const settle = async (session, info) => {
    const facts = info ?? (await lookUp(session.id).catch(() => undefined))
    session.parent = facts?.parentID
    session.createdAtMs = facts?.time?.created ?? 0
    if (!session.parent) return
    const parent = of(session.parent)
    await parent.ready
    session.root = parent.root
  }

  /** @returns {Session} await its `ready` before asking for `parent` and `root` */
  const of = (id, info) => {
    const known = sessions.get(id)
    if (known) return known
    /** @type {Session} */
    const session = {
      id,
      root: id,
      ready: Promise.resolve(),
      isNew: info !== undefined,
      createdAtMs: 0,
      mailFailures: 0,
      trigger: 'work',
      lastEventAt: Date.now(),
      tools: new Set(),
    }
    sessions.set(id, session)
    session.ready = settle(session, info)
    return session
  }

  const identityOf = (session) => identities.of(session.root)
  return {
    of,
    identityOf,
    known: (id) => sessions.get(id),
    all: () => [...sessions.values()],
    forget: (id) => void sessions.delete(id),
    /** The one that shows what the agent does; every later call for the agent takes its place. */
    makeCurrent: (session) => {
      const identity = session.parent ? undefined : identityOf(session)
      if (identity) current.set(identity.agent, session)
    },
    current: (agent) => current.get(agent),
    isCurrent: (session) => current.get(identityOf(session)?.agent ?? '') === session,
    /** How a report names it: by the conversation that gt knows. */
    nameOf: (session) =>
      session.parent
        ? { session: session.root, child: true, childSession: session.id }
        : { session: session.id },
  }
}

/** @returns {string[]} what a person or gt wrote, not what opencode added */
export const textsOf = (parts) =>
  parts.flatMap((part) => (part.type === 'text' && !part.synthetic ? [part.text.trim()] : []))
