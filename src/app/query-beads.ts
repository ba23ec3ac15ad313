import { type Bead, beadFrom, byUrgency, isDeferred } from '../domain/bead.js'
import { targetsOf } from '../domain/dependency.js'
import type { Entity } from '../domain/record.js'
import { searchNeedle, textsOf, wordsOf } from '../domain/search-text.js'
import type { View } from '../ports/ledger.js'
import { type BeadFilter, isReady, type ListedBead, openBlockers } from './list-beads.js'

export const SORTS = ['urgency', 'created', 'updated', 'due', 'priority', 'title', 'id'] as const

/** All conditions must hold. Times are ISO 8601, UTC. */
export interface BeadQuery extends Omit<BeadFilter, 'assignee'> {
  /** '' : of nobody. */
  assignee?: string
  types?: readonly string[]
  priority?: { from: number; to: number }
  /** Start of the id. */
  prefix?: string
  /** Key of the parent. */
  parent?: string
  /** Words that must all be somewhere in title, description, notes, comments and the like. */
  text?: string
  createdAfter?: string
  createdBefore?: string
  updatedAfter?: string
  updatedBefore?: string
  deferred?: boolean
  dueBefore?: string
  readyOnly?: boolean
  sort?: (typeof SORTS)[number]
  reverse?: boolean
  limit?: number
}

const NOT_CLOSED = ['open', 'hooked', 'in_review', 'deferred', 'failed', 'blocked'] as const

export function queryBeads(view: View, nowMs: number, query: BeadQuery): ListedBead[] {
  const wanted = query.status ?? NOT_CLOSED
  const stored = [...new Set(wanted.map((status) => (status === 'blocked' ? 'open' : status)))]
  const words = query.text === undefined ? [] : wordsOf(query.text)
  const needle = searchNeedle(words)
  const found = view
    .list({
      kind: 'bead',
      status: stored,
      ...(query.assignee === undefined || query.assignee === '' ? {} : { assignee: query.assignee }),
      ...(needle === undefined ? {} : { text: needle }),
      ...(query.archived === undefined ? {} : { archived: query.archived }),
    })
    .filter((entity) => holdsWords(view, entity, words))
    .map(beadFrom)
    .filter((bead) => isWanted(bead, query, nowMs))
    .map((bead): ListedBead => Object.assign(bead, { openBlockers: openBlockers(view, bead) }))
    .filter((bead) => bead.status !== 'open' || wanted.includes('open') || bead.openBlockers.length > 0)
    .filter((bead) => query.readyOnly !== true || isReady(bead, nowMs))
    .sort(order(query.sort ?? 'urgency'))
  if (query.reverse === true) found.reverse()
  return query.limit === undefined ? found : found.slice(0, query.limit)
}

function holdsWords(view: View, entity: Entity, words: readonly string[]): boolean {
  if (words.length === 0) return true
  const left = missing(
    textsOf(entity).map(({ text }) => text),
    words,
  )
  if (left.length === 0 || entity.commentCount === 0) return left.length === 0
  return (
    missing(
      view.comments(entity.id).map(({ text }) => text),
      left,
    ).length === 0
  )
}

function missing(texts: readonly string[], words: readonly string[]): string[] {
  const lower = texts.map((text) => text.toLowerCase())
  return words.filter((word) => !lower.some((text) => text.includes(word)))
}

function isWanted(bead: Bead, query: BeadQuery, nowMs: number): boolean {
  const { rig, labels = [], types = [], priority, prefix, parent, assignee } = query
  return (
    (rig === undefined || bead.rig === rig) &&
    labels.every((label) => bead.labels.includes(label)) &&
    (types.length === 0 || types.includes(bead.type)) &&
    (priority === undefined || (bead.priority >= priority.from && bead.priority <= priority.to)) &&
    (prefix === undefined || bead.id.startsWith(prefix)) &&
    (parent === undefined || targetsOf(bead.deps, 'parent-child').includes(parent)) &&
    (assignee !== '' || bead.assignee === undefined || bead.assignee === '') &&
    isInTime(bead, query, nowMs)
  )
}

function isInTime(bead: Bead, query: BeadQuery, nowMs: number): boolean {
  const { createdAfter = '', createdBefore, updatedAfter = '', updatedBefore, deferred, dueBefore } = query
  return (
    bead.createdAt >= createdAfter &&
    (createdBefore === undefined || bead.createdAt < createdBefore) &&
    bead.updatedAt >= updatedAfter &&
    (updatedBefore === undefined || bead.updatedAt < updatedBefore) &&
    (deferred !== true || isDeferred(bead, nowMs) || bead.status === 'deferred') &&
    (dueBefore === undefined || (bead.dueAt !== undefined && Date.parse(bead.dueAt) < Date.parse(dueBefore)))
  )
}

function order(sort: NonNullable<BeadQuery['sort']>): (a: Bead, b: Bead) => number {
  switch (sort) {
    case 'urgency':
      return byUrgency
    case 'created':
      return by((bead) => bead.createdAt)
    // What changed last comes first.
    case 'updated':
      return by((bead) => bead.updatedAt, -1)
    case 'due':
      return by((bead) => (bead.dueAt === undefined ? '~' : bead.dueAt))
    case 'priority':
      return by((bead) => String(bead.priority))
    case 'title':
      return by((bead) => bead.title.toLowerCase())
    case 'id':
      return by((bead) => bead.id)
  }
}

function by(key: (bead: Bead) => string, direction: 1 | -1 = 1): (a: Bead, b: Bead) => number {
  return (a, b) => {
    const [x, y] = [key(a), key(b)]
    return x === y ? byUrgency(a, b) : x < y ? -direction : direction
  }
}
