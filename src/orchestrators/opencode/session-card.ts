import { join } from 'node:path'
import type { AgentId } from '../../domain/ids.js'
import type { OpencodePlaces } from './places.js'
import { listPrivate, readPrivate, removePrivate, writePrivate } from './private-file.js'

/**
 * Tells the plugin who a session is: one server's sessions are many agents. `<cards>/<session id>.json`, written before the
 * session is prompted, found by the plugin through GT_OPENCODE_CARDS.
 */
export interface SessionCard {
  sessionID: string
  agent: AgentId
  directory: string
  /** What a tool's environment is changed by, GT_* identity included. */
  env: Record<string, string>
}

export function writeCard(places: OpencodePlaces, card: SessionCard): void {
  writePrivate(cardFile(places, card.sessionID), { formatVersion: 1, ...card })
}

export function removeCard(places: OpencodePlaces, sessionId: string): void {
  removePrivate(cardFile(places, sessionId))
}

export function hasCard(places: OpencodePlaces, sessionId: string): boolean {
  return readPrivate(cardFile(places, sessionId)) !== undefined
}

/** Those of sessions that are no more. */
export function removeOtherCards(places: OpencodePlaces, live: ReadonlySet<string>): void {
  for (const path of listPrivate(places.cards)) {
    const id = path.slice(places.cards.length + 1, -'.json'.length)
    if (!live.has(id)) removePrivate(path)
  }
}

function cardFile(places: OpencodePlaces, sessionId: string): string {
  return join(places.cards, `${sessionId.replace(/\W/g, '')}.json`)
}
