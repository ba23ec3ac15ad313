/**
 * The context of an agent in its model's system text: once a conversation, and afresh after a compaction.
 *
 * @param {{ gt: Function, problem: Function, solved: Function }} parts
 */
export function createPrimes({ gt, problem, solved }) {
  const prime = async (session) => {
    const compact = session.compacted || session.compacting ? ['--compact'] : []
    try {
      const text = await gt(session, ['prime', '--hook', ...compact, '--session-id', session.id], {
        timeoutMs: 10_000,
      })
      solved('prime', session)
      return text.trim()
    } catch (error) {
      problem('prime', error, session)
      return ''
    }
  }
  const forget = (session) => {
    session.compacted = true
    session.compacting = false
    session.prime = undefined
  }
  return {
    forget,
    intoSystem: async (session, system) => {
      // This is the call that writes the summary: its prompt holds the context already. The next one needs a fresh prime.
      if (session.compacting) return forget(session)
      session.prime ??= prime(session)
      const text = await session.prime
      if (text === '') session.prime = undefined
      else system.push(text)
    },
    intoCompaction: async (session, context) => {
      session.compacting = true
      const text = await prime(session)
      if (text !== '') context.push(text)
    },
  }
}
