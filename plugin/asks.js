import { messageOf, pause } from './gt-program.js'

/**
 * What opencode asks a person, and the answers that gt brings. gt keeps the inbox, decides by policy and deadline, and
 * records what people answer; here the answer is put to opencode, whose own event is the proof that it arrived.
 *
 * @param {{ client: any, directory: string, report: Function, problem: Function, poll: (session: any) => void }} parts
 */
export function createAsks({ client, directory, report, problem, poll }) {
  /** By opencode's own id. @type {Map<string, { session: any, kind: 'permission' | 'question', timer?: any, given?: boolean }>} */
  const open = new Map()

  const opened = (session, kind, request, data) => {
    open.set(request, { session, kind })
    report(session, `${kind}.asked`, { id: request, ...data })
  }
  const closed = (request) => {
    clearTimeout(open.get(request)?.timer)
    return open.delete(request)
  }

  /** What gt said to a batch of reports: all asks of the session that it takes for open. */
  const hear = (asks, findSession) => {
    for (const { request, kind, session, deadlineAt, answer } of asks) {
      const ask = open.get(request)
      if (ask === undefined) adopt({ request, kind, answer }, findSession(session))
      else if (answer) give(request, ask, answer)
      else if (deadlineAt) wakeAt(ask, Date.parse(deadlineAt))
    }
  }
  /** Asked before this plugin was loaded: opencode either still waits, or has forgotten it. */
  const adopt = async ({ request, kind, answer }, session) => {
    try {
      const { data, error } = await client._client.get({ url: `/${kind}`, query: { directory } })
      if (error || !Array.isArray(data)) return
      if (!data.some((asked) => asked.id === request)) return report(session, 'ask.gone', { id: request })
      if (!open.has(request)) open.set(request, { session, kind })
      const ask = open.get(request)
      if (ask && answer) await give(request, ask, answer)
    } catch (error) {
      problem('ask', error, session)
    }
  }
  const wakeAt = (ask, at) => {
    clearTimeout(ask.timer)
    // setTimeout takes no more than 24 days; a second later than the deadline, so that gt sees it over.
    ask.timer = setTimeout(
      () => poll(ask.session),
      Math.min(Math.max(at - Date.now(), 0) + 1_000, 2 ** 31 - 1),
    )
    ask.timer.unref?.()
  }
  const give = async (request, ask, { reply, message, answers }) => {
    if (ask.given) return
    ask.given = true
    const body = ask.kind === 'question' ? { answers } : { reply, ...(message ? { message } : {}) }
    for (const waitMs of [500, 2_000, 0]) {
      try {
        const { error, response } = await client._client.post({
          url: `/${ask.kind}/{requestID}/reply`,
          path: { requestID: request },
          query: { directory },
          headers: { 'Content-Type': 'application/json' },
          body,
        })
        if (response?.status === 404 && open.has(request)) {
          closed(request)
          return report(ask.session, 'ask.gone', { id: request })
        }
        if (!error) return
        throw new Error(`opencode refused the answer: ${JSON.stringify(error).slice(0, 200)}`)
      } catch (error) {
        if (!open.has(request)) return
        if (waitMs === 0) problem('ask', messageOf(error), ask.session)
        else await pause(waitMs)
      }
    }
    ask.given = false
  }

  return {
    opened,
    closed,
    hear,
    isOpenFor: (isTheirs) => [...open.values()].some(({ session }) => isTheirs(session)),
    dispose: () => {
      for (const request of open.keys()) closed(request)
    },
  }
}

/** @returns {Record<string, unknown>} what a person needs to decide, kept short: it goes into the store */
export function permissionFacts({ permission, patterns, always, metadata }) {
  // Not the change itself: a diff may hold what must not be kept, and the file says where to look.
  const { command, filepath, url } = metadata ?? {}
  const context = [command, filepath, url].find((text) => typeof text === 'string' && text !== '') ?? ''
  return { permission, patterns, always, context: context.slice(0, 1_500) }
}

/** @returns {Record<string, unknown>} */
export function questionFacts({ questions = [] }) {
  return {
    questions: questions.map((asked) => asked.question),
    options: questions.map((asked) => (asked.options ?? []).map((option) => option.label)),
  }
}
