import { messageOf, pause } from './gt-program.js'
import { textsOf } from './sessions.js'

/**
 * Brings mail into a conversation whose turn has ended, and the reminder of `gt done`. gt hands a mail out to one process
 * at a time and takes it for delivered only when we report that it was seen in the conversation; until then it comes again.
 *
 * @param {{ client: import('@opencode-ai/sdk').OpencodeClient, directory: string, mode?: string,
 *   gt: (session: import('./sessions.js').Session, args: string[]) => Promise<string>,
 *   report: Function, problem: Function, solved: Function }} parts
 */
export function createMail({ client, directory, mode, gt, report, problem, solved }) {
  /** Texts on their way: text → ids of the mails in it, its session, and what to call when it is seen. */
  const underway = new Map()
  const checks = new Set()
  let disposed = false

  const check = (session) => {
    // `opencode run` ends at idle: what is fetched there would come too late.
    if (session.parent || disposed || mode === 'run') return
    session.again = session.checking === true
    if (session.checking) return
    session.checking = true
    const running = fetch(session).finally(() => {
      checks.delete(running)
      session.checking = false
      if (session.again && session.said === 'idle') check(session)
    })
    checks.add(running)
  }

  const fetch = async (session) => {
    try {
      const flags = session.mayRemind ? ['--turn-end'] : []
      session.mayRemind = false
      const said = await gt(session, [
        'mail',
        'check',
        '--inject',
        '--until-seen',
        '--json',
        '--session-id',
        session.id,
        ...flags,
      ])
      session.mailFailures = 0
      solved('mail', session)
      const { mails = [], reminder } = JSON.parse(said)
      const news = await withoutStored(session, mails)
      if (news.length > 0)
        await bring(session, news.map((mail) => mail.text.trim()).join('\n\n'), idsOf(news))
      else if (reminder) await bring(session, reminder.trim(), [])
    } catch (error) {
      problem('mail', error, session)
      session.mailFailures += 1
      if (session.mailFailures <= 3) setTimeout(() => check(session), 5_000).unref?.()
    }
  }

  /** What was handed out before may have arrived, and only the news of it been lost. */
  const withoutStored = async (session, mails) => {
    const again = mails.filter((mail) => mail.again)
    const ids = new Set([...underway.values()].flatMap((each) => each.mails))
    if (again.length === 0) return mails.filter(({ id }) => !ids.has(id))
    const texts = await storedTexts(session, 200)
    const arrived = again.filter(({ mark }) => texts.some((text) => text.includes(mark)))
    if (arrived.length > 0) report(session, 'mail.seen', { mails: idsOf(arrived) })
    return mails.filter((mail) => !arrived.includes(mail) && !ids.has(mail.id))
  }

  const bring = async (session, text, mails) => {
    if (underway.has(text)) return
    let seen = false
    let reason = 'the session did not take it'
    const arrived = new Promise((resolve) => {
      const show = () => {
        seen = true
        underway.delete(text)
        resolve(undefined)
      }
      underway.set(text, { session, mails, show })
    })
    for (let attempt = 1; attempt <= 3 && !disposed && !seen; attempt++) {
      try {
        await prompt(session, text, attempt)
        await Promise.race([arrived, pause(5_000 * attempt)])
        if (!seen && (await storedTexts(session, 20)).includes(text)) {
          underway.delete(text)
          return report(session, 'mail.seen', { mails })
        }
      } catch (error) {
        reason = messageOf(error)
        await Promise.race([arrived, pause(1_000 * attempt)])
      }
    }
    if (underway.delete(text)) giveBack(session, mails, reason)
  }

  const prompt = async (session, text, attempt) => {
    // The agent is not sticky, and one that no longer exists makes the prompt vanish: the last try goes without.
    const name = attempt < 3 ? (session.agent ?? (await agentOf(session))) : undefined
    const body = { ...(name ? { agent: name } : {}), parts: [{ type: 'text', text }] }
    const answer = await client.session.promptAsync({ path: { id: session.id }, query: { directory }, body })
    if (answer.error) throw new Error(`opencode refused it: ${JSON.stringify(answer.error).slice(0, 200)}`)
  }
  /** Of a conversation that an earlier opencode began. */
  const agentOf = async (session) => {
    const { data } = await client.session.messages({
      path: { id: session.id },
      query: { directory, limit: 20 },
    })
    session.agent = (data ?? []).findLast((message) => message.info.role === 'user')?.info.agent
    return session.agent
  }
  const storedTexts = async (session, limit) => {
    const { data } = await client.session.messages({ path: { id: session.id }, query: { directory, limit } })
    return (data ?? []).flatMap(({ info, parts }) => (info.role === 'user' ? textsOf(parts) : []))
  }
  const giveBack = (session, mails, reason) => {
    problem('mail', `mail was not delivered: ${reason}`, session)
    if (mails.length > 0) report(session, 'mail.returned', { mails })
  }

  return {
    check,
    /** A user message with these texts is in the conversation. @returns {string[]} the mails in it */
    seen: (texts) =>
      texts.flatMap((text) => {
        const found = underway.get(text)
        found?.show()
        return found?.mails ?? []
      }),
    dispose: async () => {
      disposed = true
      await Promise.race([Promise.all(checks), pause(1_000)])
      for (const { session, mails } of underway.values()) giveBack(session, mails, 'opencode was closed')
      underway.clear()
    },
  }
}

const idsOf = (mails) => mails.map(({ id }) => id)

/** What starts a turn: for the account of what work costs, and what coordination. */
export function triggerOf(texts, before) {
  const [first] = texts
  if (first === undefined) return before // Of opencode itself, as after a compaction.
  if (first.startsWith('[gt mail ')) return 'mail'
  if (first.startsWith('[gt reminder]')) return 'reminder'
  return /^(\[gt\] )?\[gt:\w+\] from (?!human:)/.test(first) ? 'mail' : 'work'
}
