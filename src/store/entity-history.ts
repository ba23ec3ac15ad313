import type { Json } from '../domain/record.js'
import type { EntityHistory, HistoryChange, HistoryEntry } from '../ports/chronicle.js'
import { blobText, readBlob } from './blob-store.js'
import {
  type EntityState,
  emptyState,
  fieldNames,
  fieldValue,
  isAlwaysGuarded,
  own,
  setElements,
} from './entity-state.js'
import { EntityTable } from './entity-table.js'
import { applyRecord, type FoldTarget, type Verdict } from './fold.js'
import { listLog, type StorePaths } from './layout.js'
import { filesInOrder, recordsIn } from './log-files.js'
import { blobRef, readOp } from './read-op.js'
import type { LogOp, LogRecord } from './record-line.js'
import { isMissing } from './segment-bytes.js'
import { stampTime } from './stamp.js'

interface Mention {
  record: LogRecord
  /** Those that are about the entity. */
  ops: LogOp[]
  clone: string
  verdict: Verdict
  isBase: boolean
}

/** Compaction may take a file away between listing and reading it. */
const MAX_RESTARTS = 8

/**
 * Folds the log as every reader does, and notes each record that is about `id`, with what became of it. The registers of the
 * store's own bookkeeping are left out.
 */
export function entityHistory(paths: StorePaths, id: string, now: () => number): EntityHistory {
  for (let restarts = 0; ; restarts++) {
    try {
      const mentions = mentionsOf(paths, id, now)
      return replay(paths, id, mentions)
    } catch (error) {
      if (!isMissing(error) || restarts >= MAX_RESTARTS) throw error
    }
  }
}

function mentionsOf(paths: StorePaths, id: string, now: () => number): Mention[] {
  const table = new EntityTable(undefined, now)
  const mentions: Mention[] = []
  for (const [clone, files] of listLog(paths.log)) {
    for (const { name, isBase } of filesInOrder(clone, files)) {
      for (const record of recordsIn(paths.log, name)) {
        const verdict = applyRecord(table, clone, record)
        const ops = record.ops.flatMap((op) => aboutEntity(op, id))
        if (ops.length > 0) mentions.push({ record, ops, clone, verdict, isBase })
      }
    }
  }
  // What compaction left first: it stands for everything before.
  return mentions.sort((a, b) => Number(b.isBase) - Number(a.isBase) || (a.record.t < b.record.t ? -1 : 1))
}

function aboutEntity(value: unknown, id: string): LogOp[] {
  const op = readOp(value)
  if (op === undefined) return []
  if (op.o === 'ev') return Object.values(op.data).includes(id) ? [op] : []
  return 'id' in op && op.id === id ? [op] : []
}

function replay(paths: StorePaths, id: string, mentions: readonly Mention[]): EntityHistory {
  const target = new OneEntity(id)
  const losers = losingMoves(mentions)
  const purges = purgesIn(mentions)
  const entries = mentions.map((mention) =>
    withoutPurged(entryOf(paths, target, mention, losers.has(mention.record)), purges),
  )
  const outcome = mentions.filter(({ isBase, ops }) => isBase && ops.some(({ o }) => o === 'st'))
  const upTo = outcome
    .map(({ record }) => stampTime(record.t))
    .sort()
    .at(-1)
  return {
    entries: entries.filter(
      ({ changes, comments, events, kind, verdict }) =>
        changes.length + comments.length + events.length > 0 || kind !== 'changed' || verdict !== 'counts',
    ),
    ...(target.state.k === undefined ? {} : { kind: target.state.k }),
    ...(upTo === undefined ? {} : { compactedUpTo: upTo }),
  }
}

interface Purge {
  what: string
  stamp: string
}

function purgesIn(mentions: readonly Mention[]): Purge[] {
  return mentions.flatMap(({ record, ops, verdict }) =>
    ops.flatMap((op): Purge[] => {
      if (verdict === 'void') return []
      if (op.o === 'purge') return [{ what: op.what, stamp: record.t }]
      return op.o === 'st' ? Object.entries(op.pur ?? {}).map(([what, stamp]) => ({ what, stamp })) : []
    }),
  )
}

const PURGED = '(purged)'

/** Lines of other clones may hold what was purged until those compact; it is not shown for that. */
function withoutPurged(entry: HistoryEntry, purges: readonly Purge[]): HistoryEntry {
  const hits = purges
    .filter(({ what, stamp }) => what === '*' || entry.stamp <= stamp)
    .map(({ what }) => what)
  if (hits.length === 0) return entry
  const isHidden = (field: string) =>
    (hits.includes('*') && !isAlwaysGuarded(field)) || hits.includes(`f:${field}`)
  const hide = (value: Json): Json => (value === null ? null : PURGED)
  // A comment is named by its place, which begins with the stamp of its record.
  const hidesComments = hits.some((what) => what === '*' || what.startsWith(`c:${entry.stamp}`))
  return {
    ...entry,
    changes: entry.changes.map((change) =>
      isHidden(change.field) ? { field: change.field, from: hide(change.from), to: hide(change.to) } : change,
    ),
    comments: entry.comments.map((comment) => (hidesComments ? { ...comment, text: PURGED } : comment)),
  }
}

/** Of valid moves to one generation by several clones: all but the one that counts. */
function losingMoves(mentions: readonly Mention[]): Set<LogRecord> {
  const best = new Map<number, { record: LogRecord; rank: number }>()
  const losers = new Set<LogRecord>()
  for (const { record, ops, verdict } of mentions) {
    for (const op of ops) {
      if (op.o !== 'move' || verdict === 'void') continue
      const mine = { record, rank: op.f.status === 'closed' ? 1 : 0 }
      const theirs = best.get(op.gen)
      const wins =
        theirs === undefined ||
        mine.rank > theirs.rank ||
        (mine.rank === theirs.rank && mine.record.t < theirs.record.t)
      if (wins) best.set(op.gen, mine)
      if (theirs !== undefined) losers.add(wins ? theirs.record : record)
    }
  }
  return losers
}

function entryOf(paths: StorePaths, target: OneEntity, mention: Mention, isLoser: boolean): HistoryEntry {
  const { record, ops, clone, isBase } = mention
  const before = structuredClone(target.state)
  if (mention.verdict !== 'void') applyRecord(target, clone, { ...record, ops })
  const isVoid = mention.verdict === 'void'
  const changes = isVoid || isLoser ? wishes(before, ops) : differences(before, target.state)
  const hasWish = wishes(before, ops).length > 0
  const events = ops.flatMap((op) => (op.o === 'ev' ? [{ type: op.type, data: op.data }] : []))
  return {
    stamp: record.t,
    at: stampTime(record.t),
    by: record.by,
    clone,
    kind: kindOf(ops, isBase),
    verdict: isVoid
      ? 'void'
      : isLoser || (hasWish && changes.length === 0 && !isBase)
        ? 'overruled'
        : 'counts',
    changes: (changes.length > 0 ? changes : isBase ? [] : wishes(before, ops)).map((change) =>
      withTexts(paths, change),
    ),
    comments: isVoid ? [] : commentsIn(paths, record, ops, before),
    events: isVoid ? [] : events,
  }
}

function kindOf(ops: readonly LogOp[], isBase: boolean): HistoryEntry['kind'] {
  const has = (name: string) => ops.some(({ o }) => o === name)
  if (has('st')) return isBase ? 'outcome' : 'imported'
  if (has('gone')) return 'deleted'
  if (has('new')) return 'made'
  return ops.every(({ o }) => o === 'ev') ? 'event' : 'changed'
}

/** What an import remembers for the way back is nobody's change. */
const HIDDEN = new Set(['bd'])

function differences(before: EntityState, after: EntityState): HistoryChange[] {
  const changes: HistoryChange[] = []
  for (const field of fieldNames(after)) {
    const [from, to] = [fieldValue(before, field) ?? null, fieldValue(after, field) ?? null]
    if (!HIDDEN.has(field) && JSON.stringify(from) !== JSON.stringify(to)) changes.push({ field, from, to })
  }
  for (const [field, elements] of Object.entries(after.set)) {
    const [old, now] = [setElements(own(before.set, field) ?? {}), setElements(elements)]
    const added = now.filter((element) => !old.includes(element))
    const removed = old.filter((element) => !now.includes(element))
    if (added.length + removed.length > 0) changes.push({ field, from: old, to: now, added, removed })
  }
  return changes
}

/** What the ops ask for, whether or not it came to be. */
function wishes(before: EntityState, ops: readonly LogOp[]): HistoryChange[] {
  return ops.flatMap((op): HistoryChange[] => {
    if (op.o === 'new' || op.o === 'set' || op.o === 'move') {
      return Object.entries(op.f)
        .filter(([field]) => !(op.o === 'set' && isAlwaysGuarded(field)))
        .map(([field, to]) => ({ field, from: fieldValue(before, field) ?? null, to }))
        .filter(({ from, to }) => JSON.stringify(from) !== JSON.stringify(to))
    }
    if (op.o !== 'add' && op.o !== 'del') return []
    const from = setElements(own(before.set, op.f) ?? {})
    const isNew = op.x.some((element) => from.includes(element) === (op.o === 'del'))
    return isNew ? [{ field: op.f, from, to: null, [op.o === 'add' ? 'added' : 'removed']: op.x }] : []
  })
}

function commentsIn(paths: StorePaths, record: LogRecord, ops: readonly LogOp[], before: EntityState) {
  const known = new Set(before.say.map(([mark]) => mark))
  return ops.flatMap((op): HistoryEntry['comments'] => {
    if (op.o === 'say') return [{ at: stampTime(record.t), by: record.by, text: blobText(paths.blob, op.x) }]
    if (op.o !== 'st') return []
    return op.say
      .filter(([mark]) => !known.has(mark))
      .map(([mark, by, text]) => ({ at: mark.slice(0, 24), by, text: blobText(paths.blob, text) }))
  })
}

function withTexts(paths: StorePaths, change: HistoryChange): HistoryChange {
  const text = (value: Json): Json => {
    const name = blobRef(value)
    return name === undefined ? value : readBlob(paths.blob, name)
  }
  return { ...change, from: text(change.from), to: text(change.to) }
}

/** Folds what is said about one entity and nothing else. */
class OneEntity implements FoldTarget {
  state: EntityState

  constructor(id: string) {
    this.state = emptyState(id)
  }

  find(): EntityState | undefined {
    // Which records are void was decided with everything in view.
    return undefined
  }

  touch(): EntityState {
    return this.state
  }

  noteBirth(): void {}
  // What was purged is hidden once the whole history is known.
  notePurge(): void {}
  addEvent(): void {}
  noteStamp(): void {}
  noteFormat(): void {}
  noteUnknownOp(): void {}
}
