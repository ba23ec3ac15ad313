import { runGt } from './gt-program.js'
import { createReporter } from './reporter.js'

/**
 * The way to gt for each session, as the agent it works for.
 *
 * @param {{ directory: string, identities: import('./identity.js').Identities, sessions: any,
 *   onAnswer: (answer: any) => void }} parts
 */
export function createDesk({ directory, identities, sessions, onAnswer }) {
  /** One for each time that gt started an agent. @type {Map<string, ReturnType<typeof createReporter>>} */
  const reporters = new Map()

  const reporterOf = (identity) => {
    const key = `${identity.agent} ${identity.key}`
    const known = reporters.get(key)
    if (known) return known
    const gt = (args, options) => runGt({ identity, directory, ...options }, args)
    const reporter = createReporter({ gt, identity, onAnswer })
    reporters.set(key, reporter)
    reporter.report('plugin.loaded', {
      version: /gastown-(\w+)\.js/.exec(import.meta.url)?.[1] ?? 'unpacked',
      directory,
    })
    return reporter
  }
  const reporterFor = (session) => {
    const identity = session && sessions.identityOf(session)
    return identity && reporterOf(identity)
  }
  /** In a terminal there is one agent, before there is any session. */
  const own = identities.shared ? undefined : identities.of('')
  if (own) reporterOf(own)

  return {
    gt: (session, args, options = {}) => {
      const identity = sessions.identityOf(session)
      if (!identity) return Promise.reject(new Error('the session works for no agent any more'))
      return runGt({ identity, directory, session: session.root, ...options }, args)
    },
    report: (session, type, data = {}) =>
      reporterFor(session)?.report(type, { ...sessions.nameOf(session), ...data }),
    /** Never throws, also when it is not known whose trouble it is. */
    problem: (where, error, session) => {
      const reporter = reporterFor(session) ?? (own ? reporterOf(own) : [...reporters.values()].at(-1))
      reporter?.problem(where, error, session?.root)
    },
    solved: (where, session) => reporterFor(session)?.solved(where),
    poll: (session) => reporterFor(session)?.ask(),
    drain: async () => void (await Promise.all([...reporters.values()].map((each) => each.drain()))),
  }
}
