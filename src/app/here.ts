import type { Agent } from '../domain/agent.js'
import { ConflictError } from '../domain/errors.js'
import { text } from '../domain/fields.js'
import type { View } from '../ports/ledger.js'
import type { Town } from './town.js'

/**
 * Whether `home` (the clone id that an agent's session, tree and processes belong to) is this machine. What was recorded
 * before there were homes counts as here: then there was one machine.
 */
export function isHere(town: Town, home: string | undefined): boolean {
  return home === undefined || town.ledger.ownClones().includes(home)
}

/** What new agents, sessions and queue entries of this machine carry. */
export function homeHere(town: Town): string | undefined {
  return town.ledger.ownClones()[0]
}

export function cloneKey(clone: string): string {
  return `clone:${clone}`
}

/** Given up for good: nobody there will ever let go of what it holds. */
export function isRetired(view: View, clone: string): boolean {
  return view.get(cloneKey(clone))?.fields.retired !== undefined
}

/** `k7f3q (laptop)` */
export function machineName(view: View, clone: string): string {
  const entity = view.get(cloneKey(clone))
  const host = entity === undefined ? undefined : text(entity, 'host')
  return host === undefined ? clone : `${clone} (${host})`
}

/**
 * Sessions and trees of another machine cannot be seen from here, let alone ended or saved.
 * @throws ConflictError code `agent-elsewhere`
 */
export function checkHere(town: Town, agent: Agent): void {
  if (agent.home === undefined || isHere(town, agent.home)) return
  if (isRetired(town.ledger.read(), agent.home)) return
  const machine = machineName(town.ledger.read(), agent.home)
  throw new ConflictError(`${agent.id} lives on another machine: ${machine}`, {
    code: 'agent-elsewhere',
    hint: `do it there; if that machine is gone for good: gt store retire ${agent.home}`,
    details: { agent: agent.id, home: agent.home },
  })
}
