import { type Agent, agentFrom } from '../domain/agent.js'
import { type Ask, askFrom } from '../domain/ask.js'
import { type Bead, beadFrom } from '../domain/bead.js'
import { type Convoy, convoyFrom } from '../domain/convoy.js'
import { NotFoundError, UsageError } from '../domain/errors.js'
import { nearest, printable } from '../domain/ids.js'
import { type Mail, mailFrom } from '../domain/mail.js'
import { type Merge, mergeFrom } from '../domain/merge.js'
import { type Pool, poolFrom } from '../domain/pool.js'
import type { Entity, EntityKind } from '../domain/record.js'
import type { Rig } from '../domain/rig.js'
import { type Session, sessionFrom } from '../domain/session.js'
import type { View } from '../ports/ledger.js'
import type { Town } from './town.js'

const WORDS: Record<EntityKind, { noun: string; list: string }> = {
  bead: { noun: 'bead', list: 'gt bead list' },
  mail: { noun: 'mail', list: 'gt mail inbox --all' },
  agent: { noun: 'agent', list: 'gt agents' },
  session: { noun: 'session', list: 'gt agents' },
  convoy: { noun: 'convoy', list: 'gt convoy list' },
  merge: { noun: 'merge queue entry', list: 'gt mq list' },
  pool: { noun: 'pool', list: 'gt pool list' },
  ask: { noun: 'ask', list: 'gt asks --all' },
  usage: { noun: 'account', list: 'gt cost' },
  rig: { noun: 'rig', list: 'gt rig list' },
  clone: { noun: 'machine', list: 'gt store clones' },
}

/** @throws NotFoundError with the nearest known name; UsageError code `ambiguous-id` */
function getEntity(view: View, kind: EntityKind, typed: string): Entity {
  const answer = view.resolve(kind, typed)
  if (answer.kind === 'found') return answer.entity
  const { noun, list } = WORDS[kind]
  if (answer.kind === 'ambiguous') {
    throw new UsageError(
      `"${printable(typed)}" fits ${answer.ids.length} of them: ${answer.ids.slice(0, 6).join(', ')}`,
      {
        code: 'ambiguous-id',
        hint: 'type a few characters more',
        details: { ids: answer.ids.slice(0, 20) },
      },
    )
  }
  // `tost` is as near to `proj/toast` as it is to `toast`.
  const bare = kind === 'agent' && !typed.includes('/')
  const near = nearest(
    typed,
    view.list({ kind }).map(({ shownId }) => (bare ? shownId.slice(shownId.indexOf('/') + 1) : shownId)),
  )
  throw new NotFoundError(`there is no ${noun} "${printable(typed)}"`, {
    code: `${kind}-not-found`,
    hint: near === undefined ? `${list} shows them` : `did you mean ${near}?`,
    details: { [kind]: printable(typed), ...(near === undefined ? {} : { nearest: near }) },
  })
}

export function getBead(view: View, typed: string): Bead {
  return beadFrom(getEntity(view, 'bead', typed))
}

export function getAsk(view: View, typed: string): Ask {
  return askFrom(getEntity(view, 'ask', typed))
}

export function getMail(view: View, typed: string): Mail {
  return mailFrom(getEntity(view, 'mail', typed))
}

export function getConvoy(view: View, typed: string): Convoy {
  return convoyFrom(getEntity(view, 'convoy', typed))
}

export function getPool(view: View, typed: string): Pool {
  return poolFrom(getEntity(view, 'pool', typed))
}

export function getMerge(view: View, typed: string): Merge {
  return mergeFrom(getEntity(view, 'merge', typed))
}

/** Full ids, or the bare name when only one agent has it: `toast` for `proj/toast`. */
export function getAgent(view: View, typed: string): Agent {
  const exact = view.get(typed)
  if (exact?.kind === 'agent') return agentFrom(exact)
  if (!typed.includes('/')) {
    const named = view.list({ kind: 'agent' }).filter((entity) => entity.id.endsWith(`/${typed}`))
    if (named.length === 1 && named[0]) return agentFrom(named[0])
    if (named.length > 1) {
      throw new UsageError(`there are ${named.length} agents named "${printable(typed)}"`, {
        code: 'ambiguous-id',
        hint: `say which: ${named.map((entity) => entity.id).join(' or ')}`,
      })
    }
  }
  return agentFrom(getEntity(view, 'agent', typed))
}

export function findSession(view: View, agent: Agent): Session | undefined {
  const entity = agent.session === undefined ? undefined : view.get(agent.session)
  return entity?.kind === 'session' ? sessionFrom(entity) : undefined
}

export function findBead(view: View, key: string | undefined): Bead | undefined {
  const entity = key === undefined ? undefined : view.get(key)
  return entity?.kind === 'bead' ? beadFrom(entity) : undefined
}

/** The newest entry of a bead in the merge queue. */
export function findLastMerge(view: View, beadKey: string): Merge | undefined {
  const merges = view.list({ kind: 'merge' }).map(mergeFrom)
  return merges.filter((merge) => merge.bead === beadKey).at(-1)
}

export function getRig(town: Town, name: string): Rig {
  const rig = Object.hasOwn(town.config.rigs, name) ? town.config.rigs[name] : undefined
  if (rig) return rig
  const known = Object.keys(town.config.rigs)
  const near = nearest(name, known)
  throw new NotFoundError(`there is no rig "${printable(name)}"`, {
    code: 'rig-not-found',
    hint:
      near !== undefined
        ? `did you mean ${near}?`
        : known.length === 0
          ? 'add one: gt rig add NAME URL|PATH'
          : `known rigs: ${known.join(', ')}`,
    details: { rig: printable(name) },
  })
}

/** An entry of the merge queue by its own id, or the newest one of a bead. */
export function getMergeOf(view: View, typed: string): Merge {
  const byBead = view.resolve('merge', typed).kind !== 'found' && view.resolve('bead', typed).kind === 'found'
  return (byBead ? findLastMerge(view, getBead(view, typed).id) : undefined) ?? getMerge(view, typed)
}
