const DEFAULT_AFTER_MS = 300_000
const LOOK_EVERY_MS = 10_000

/**
 * Notices a model that stopped in the middle of its answer: a turn runs, no tool does, nobody is asked, and for a long time
 * nothing happened. It is a remark; nothing is ended for it.
 */
export function watchForStalls({ sessions, report, isAsking }) {
  const look = () => {
    for (const session of sessions.all()) {
      if (session.parent || session.said !== 'busy' || session.tools.size > 0) continue
      const afterMs = Number(sessions.identityOf(session)?.env.GT_STALLED_AFTER_MS) || DEFAULT_AFTER_MS
      if (Date.now() - session.lastEventAt < afterMs) continue
      if (isAsking((each) => each.root === session.root)) continue
      session.said = 'stalled'
      report(session, 'session.stalled', { since: new Date(session.lastEventAt).toISOString() })
    }
  }
  const timer = setInterval(
    look,
    Math.min(LOOK_EVERY_MS, (Number(process.env.GT_STALLED_AFTER_MS) || 120_000) / 4),
  )
  timer.unref?.()
  return () => clearInterval(timer)
}
