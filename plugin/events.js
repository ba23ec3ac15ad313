import { permissionFacts, questionFacts } from './asks.js'
import { messageOf } from './gt-program.js'
import { triggerOf } from './mail.js'
import { textsOf } from './sessions.js'

/** What opencode says of its sessions, put into reports. */
export function createEvents({ client, directory, sessions, desk, mail, asks, usage, primes }) {
  const { report, problem } = desk
  /** User messages on their way into the store: message id → their texts. */
  const arriving = new Map()
  /** What started the turn that a user message belongs to. */
  const triggers = new Map()

  const say = (session, state, data = {}) => {
    if (session.said === state && state !== 'retry') return
    session.said = state
    if (session.parent) return
    report(session, `session.${state}`, data)
  }
  const turnEnded = (session) => {
    session.compacting = false
    session.tools.clear()
    const isNews = !session.parent && session.said !== 'idle'
    if (!isNews) {
      session.said = 'idle'
      return
    }
    const { error, finish } = session
    const end = finish && finish !== 'stop' ? { finish } : {}
    usage.flush(session)
    say(session, 'idle', { ...(error ? { error } : {}), ...end })
    // A turn that a reminder started, that broke or that was interrupted brings no reminder: it could go on for ever.
    session.mayRemind = session.hasWorked === true && session.trigger !== 'reminder' && !error
    session.hasWorked = false
    mail.check(session)
    session.error = undefined
  }

  const on = {
    'session.created': () => {}, // Looking it up has reported it.
    'session.deleted': (session) => sessions.forget(session.id),
    'session.idle': turnEnded,
    'session.status': (session, { status }) => {
      if (status.type === 'idle') return turnEnded(session)
      if (status.type === 'busy') sessions.makeCurrent(session)
      const { attempt, message, next } = status
      say(session, status.type, status.type === 'retry' ? { attempt, message, next } : {})
    },
    'session.error': (session, { error }) => {
      const { message = '', statusCode: status } = error?.data ?? {}
      const facts = {
        name: error?.name ?? 'Error',
        message: message.slice(0, 500),
        ...(status ? { status } : {}),
      }
      session.error = facts
      if (!session.parent) report(session, 'session.error', facts)
    },
    'session.compacted': (session) => {
      primes.forget(session)
      session.error = undefined
      if (!session.parent) report(session, 'session.compacted')
    },
    'message.updated': (session, { info }) => {
      if (info.role === 'user') userMessage(session, info.id)
      else if (info.time.completed) answered(session, info)
    },
    'permission.asked': (session, asked) =>
      asks.opened(session, 'permission', asked.id, permissionFacts(asked)),
    'permission.replied': (session, { requestID, reply }) => {
      asks.closed(requestID)
      report(session, 'permission.replied', { id: requestID, reply })
    },
    'question.asked': (session, asked) => asks.opened(session, 'question', asked.id, questionFacts(asked)),
    'question.replied': (session, { requestID, answers }) => {
      asks.closed(requestID)
      report(session, 'question.replied', { id: requestID, answers })
    },
    'question.rejected': (session, { requestID }) => {
      asks.closed(requestID)
      report(session, 'question.rejected', { id: requestID })
    },
  }

  const userMessage = (session, id) => {
    const texts = arriving.get(id)
    if (!texts) return
    arriving.delete(id)
    session.trigger = triggerOf(texts, session.trigger)
    triggers.set(id, session.trigger)
    if (triggers.size > 500) triggers.delete(triggers.keys().next().value)
    session.error = undefined
    session.finish = undefined
    const text = texts.join('\n')
    if (session.parent || text === '') return
    const mails = mail.seen(texts)
    const receipt = /\[gt:([a-z0-9]+)\]/.exec(text)?.[1]
    report(session, 'message.seen', {
      text: text.slice(0, 200),
      receipt,
      ...(mails.length > 0 ? { mails } : {}),
    })
  }
  /** A subagent's tokens cost money too: they are counted for the conversation it works for. */
  const answered = (session, info) => {
    const root = sessions.of(session.root)
    usage.note(root, info, session.parent ? root.trigger : (triggers.get(info.parentID) ?? root.trigger))
    session.finish = info.finish
    if (info.error) return
    session.error = undefined
    if (info.finish === 'stop' || info.finish === 'length') session.hasWorked = true
  }

  const handle = async ({ type, properties }) => {
    const id = properties.sessionID ?? properties.info?.sessionID
    if (!id && type === 'session.error')
      problem('opencode', properties.error?.data?.message ?? 'unknown error')
    if (!id || (type === 'session.deleted' && !sessions.known(id))) return
    const session = sessions.of(id, type === 'session.created' ? properties.info : undefined)
    await session.ready
    if (!begin(session)) return
    on[type](session, properties)
  }
  /** The first that gt hears of a conversation, and again when gt starts its agent anew. @returns whether it is ours */
  const begin = (session) => {
    const identity = sessions.identityOf(session)
    if (!identity || session.parent) return identity !== undefined
    if (session.startedFor === identity.key) return true
    const resumed = !session.isNew || session.startedFor !== undefined
    session.startedFor = identity.key
    session.said = undefined
    sessions.makeCurrent(session)
    report(session, 'session.started', { directory, resumed })
    if (resumed) recount(session).catch((error) => problem('usage', error, session))
    return true
  }
  /** What was said before we listened: gt knows which of it has been counted. */
  const recount = async (session) => {
    const { data } = await client.session.messages({
      path: { id: session.id },
      query: { directory, limit: 100 },
    })
    for (const { info, parts } of data ?? []) {
      if (info.role === 'user') triggers.set(info.id, triggerOf(textsOf(parts), 'work'))
      // A fork begins with copies of what its original has paid for.
      else if (info.time.completed > session.createdAtMs)
        usage.note(session, info, triggers.get(info.parentID) ?? 'work')
    }
    usage.flush(session)
  }

  /** Events one after another, so that reports keep their order although a session may have to be looked up first. */
  let queue = Promise.resolve()
  const enqueue = (event) => {
    queue = queue.then(() =>
      handle(event).catch((error) => problem('event', error, sessions.known(event.properties?.sessionID))),
    )
  }
  /** Signs of life, at once and without a lookup: there are many. */
  const touch = ({ type, properties }) => {
    const session = sessions.known(properties?.sessionID ?? properties?.part?.sessionID)
    if (!session) return
    for (const each of [session, sessions.known(session.root)]) if (each) each.lastEventAt = Date.now()
    const { part } = properties
    if (type === 'message.part.updated' && part?.type === 'tool' && part.tool !== 'task') {
      const isOver = part.state.status === 'completed' || part.state.status === 'error'
      for (const each of [session, sessions.known(session.root)])
        isOver ? each?.tools.delete(part.callID) : each?.tools.add(part.callID)
    }
    const root = sessions.known(session.root)
    if (root?.said === 'stalled') say(root, 'busy')
  }

  /** A conversation that may have become ours, or its agent's again: it shows no event until someone speaks. */
  const lookAgain = async (id) => {
    if (!/^ses_\w+$/.test(id ?? '')) return
    try {
      const known = sessions.known(id)
      if (known && (known.said === 'busy' || known.startedFor === sessions.identityOf(known)?.key)) return
      const { data } = await client.session.messages({ path: { id }, query: { directory, limit: 1 } })
      // One that has not begun gets its first prompt from gt.
      if (!data?.length || (await isBusy(id))) return
      enqueue({ type: 'session.idle', properties: { sessionID: id } })
    } catch (error) {
      problem('resume', messageOf(error), sessions.known(id))
    }
  }
  const isBusy = async (id) => {
    const { data } = await client.session.status({ query: { directory } })
    return data?.[id] !== undefined && data[id].type !== 'idle'
  }

  return {
    take: (event) => {
      try {
        touch(event)
      } catch (error) {
        problem('event', error)
      }
      if (Object.hasOwn(on, event.type)) enqueue(event)
    },
    arriving: (id, texts) => {
      arriving.set(id, texts)
      if (arriving.size > 200) arriving.delete(arriving.keys().next().value)
    },
    lookAgain,
    drain: async () => await queue,
  }
}
