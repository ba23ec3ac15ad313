import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf, pause } from './gt-program.js'

/** @param {string} agent */
export const fileNameOf = (agent) => agent.replaceAll('/', '_')

/**
 * Hands the reports of one agent to gt in order, one process at a time, each with all that gathered meanwhile. Never throws.
 * @param {{ gt: (args: string[], options?: { input?: string }) => Promise<string>,
 *   identity: import('./identity.js').Identity, onAnswer?: (answer: any) => void }} parts - `onAnswer` gets what gt said to a batch
 */
export function createReporter({ gt, identity, onAnswer = () => {} }) {
  const waiting = []
  let working
  let asked = false
  const complained = new Map()

  const hear = (printed) => {
    try {
      onAnswer(JSON.parse(printed))
    } catch {
      // An older gt says nothing that concerns us.
    }
  }
  const send = async (batch) => {
    const input = batch.map((line) => `${JSON.stringify(line)}\n`).join('')
    for (const waitMs of [500, 2_000, 0]) {
      try {
        return hear(await gt(['report', '--json', '-'], { input }))
      } catch (error) {
        if (waitMs > 0) await pause(waitMs)
        else saveLocally(error, batch)
      }
    }
  }
  const work = async () => {
    await pause(30) // What happens together is sent together.
    while (waiting.length > 0 || asked) {
      asked = false
      await send(waiting.splice(0, 200))
    }
    working = undefined
  }
  const report = (type, data = {}) => {
    waiting.push({ type, at: new Date().toISOString(), ...data })
    working ??= work()
    if (waiting.length <= 1_000) return
    waiting.splice(0, 100)
    problem('report', 'gt is too slow or fails: the oldest reports were dropped')
  }
  /** The same complaint is reported once, until it was solved. */
  const problem = (where, error, session) => {
    const message = messageOf(error)
    if (complained.get(where) === message) return
    complained.set(where, message)
    report('plugin.error', { session, where, message })
  }
  const saveLocally = (error, batch) => {
    const failure = {
      type: 'plugin.error',
      at: new Date().toISOString(),
      where: 'report',
      message: messageOf(error),
    }
    const lines = [failure, ...batch].map((line) => `${JSON.stringify(line)}\n`)
    const folder = identity.env.GT_RUN_DIR
    writeRunFile(folder, 'plugin-errors', `${fileNameOf(identity.agent)}.jsonl`, lines.join(''))
  }
  return {
    report,
    problem,
    solved: (where) => complained.delete(where),
    /** Asks gt for what it has to say, without news of our own. */
    ask: () => {
      asked = true
      working ??= work()
    },
    drain: async () => await working,
  }
}

/** Appends. Without a folder, or when it cannot be written, nothing is left to complain to. */
export function writeRunFile(runDir, folder, name, text) {
  if (!runDir) return
  try {
    const directory = join(runDir, folder)
    mkdirSync(directory, { recursive: true })
    writeFileSync(join(directory, name), '', { flag: 'a', mode: 0o600 })
    appendFileSync(join(directory, name), text)
  } catch {
    // see above
  }
}
