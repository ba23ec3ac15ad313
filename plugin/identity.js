import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { watchFolder } from './watch-folder.js'

/**
 * Who a session works for. A terminal program is one agent, and its environment says which. A server carries many: gt
 * puts a card `<GT_OPENCODE_CARDS>/<session>.json` for each of their conversations before its first prompt.
 *
 * @typedef {{ agent: string, key: string, env: Record<string, string> }} Identity
 *   `key` changes when gt starts the agent anew, also in the same conversation; `env` is what its tools get.
 * @typedef {{ of(session: string): Identity | undefined, cards(directory: string): string[],
 *   watch(onChange: (session: string) => void): () => void, readonly shared: boolean }} Identities
 */

/**
 * @param {Record<string, string | undefined>} env
 * @param {(where: string, error: unknown) => void} problem
 * @returns {Identities | undefined} undefined: gt has nothing to do with this opencode
 */
export function createIdentities(env, problem) {
  // GT_SESSION_ID is set for tools only: an opencode started by an agent's tool is not that agent and must not eat its mail.
  if (!env.GT_TOWN || env.GT_SESSION_ID) return undefined
  if (env.GT_AGENT) return ownIdentity(env)
  return env.GT_OPENCODE_CARDS ? cardIdentities(env.GT_OPENCODE_CARDS, problem) : undefined
}

function ownIdentity(env) {
  const own = Object.fromEntries(Object.entries(env).filter(([name]) => name.startsWith('GT_')))
  const identity = { agent: env.GT_AGENT, key: env.GT_SESSION ?? '', env: own }
  return { shared: false, of: () => identity, cards: () => [], watch: () => () => {} }
}

function cardIdentities(folder, problem) {
  /** Read again when gt writes it again: @type {Map<string, { at: number, identity: Identity, directory: string }>} */
  const known = new Map()
  const read = (session) => {
    if (!/^ses_\w+$/.test(session)) return undefined
    const file = join(folder, `${session}.json`)
    const at = statSync(file, { throwIfNoEntry: false })?.mtimeMs
    if (at === undefined) return void known.delete(session)
    if (known.get(session)?.at !== at) {
      const card = JSON.parse(readFileSync(file, 'utf8'))
      if (card.sessionID !== session) throw new Error(`${file} is the card of ${card.sessionID}`)
      const identity = { agent: card.agent, key: card.env.GT_SESSION ?? '', env: card.env }
      known.set(session, { at, identity, directory: card.directory })
    }
    return known.get(session)
  }
  const look = (session) => {
    try {
      return read(session)
    } catch (error) {
      problem('card', error)
      return undefined
    }
  }
  return {
    shared: true,
    of: (session) => look(session)?.identity,
    cards: (directory) => cardNames(folder).filter((session) => look(session)?.directory === directory),
    watch: (onChange) =>
      watchFolder(folder, (name) => /\.json$/.test(name) && onChange(name.slice(0, -5)), problem),
  }
}

function cardNames(folder) {
  try {
    return readdirSync(folder).flatMap((name) => (name.endsWith('.json') ? [name.slice(0, -5)] : []))
  } catch {
    return [] // Nobody has a card yet.
  }
}
