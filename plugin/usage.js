/** A turn that lasts longer than this reports in between, so that little is lost when it is killed. */
const AT_LEAST_EVERY_MS = 300_000
const MOST_AT_ONCE = 100

/**
 * Tokens and money of every answer of the model, subagents' included, reported once a turn. gt keys them by the message,
 * so what is reported again after a crash does not count twice.
 *
 * @param {{ report: Function, nameOf: (session: import('./sessions.js').Session) => object }} parts
 */
export function createUsage({ report }) {
  /** By the conversation that gt knows. @type {Map<string, { root: any, messages: any[], timer: any }>} */
  const gathered = new Map()
  const noted = new Set()

  const note = (root, info, trigger) => {
    const { input, output, reasoning, cache } = info.tokens
    const tokens = [input, output, reasoning, cache.read, cache.write]
    if (noted.has(info.id) || (tokens.every((count) => !count) && !info.cost)) return
    noted.add(info.id)
    if (noted.size > 2_000) noted.delete(noted.values().next().value)
    const message = {
      id: info.id,
      in: info.sessionID,
      done: info.time.completed,
      model: `${info.providerID}/${info.modelID}`,
      trigger,
      tokens,
      cost: info.cost,
    }
    const kept = gathered.get(root.id) ?? start(root)
    kept.messages.push(message)
    if (kept.messages.length >= MOST_AT_ONCE) flush(root)
  }
  const start = (root) => {
    const timer = setTimeout(() => flush(root), AT_LEAST_EVERY_MS)
    timer.unref?.()
    const kept = { root, messages: [], timer }
    gathered.set(root.id, kept)
    return kept
  }
  const flush = (root) => {
    const kept = gathered.get(root.id)
    if (!kept) return
    clearTimeout(kept.timer)
    gathered.delete(root.id)
    report(root, 'usage', { messages: kept.messages })
  }
  return {
    note,
    flush,
    dispose: () => {
      for (const { root } of [...gathered.values()]) flush(root)
    },
  }
}
