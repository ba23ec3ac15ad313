import type { Json } from '../domain/record.js'
import type { LoggedRecord, RecordQuery } from '../ports/chronicle.js'
import { listLog } from './layout.js'
import { filesInOrder, nameOf, recordsIn } from './log-files.js'
import type { LogRecord } from './record-line.js'
import { isMissing } from './segment-bytes.js'
import { stampTime } from './stamp.js'

/** All records of all chains, newest first; each file is read when its turn comes. */
export function* recordsBackwards(logDirectory: string, query: RecordQuery): Iterable<LoggedRecord> {
  const chains = [...listLog(logDirectory).keys()].map((clone) => chainBackwards(logDirectory, clone, query))
  const heads = chains.map((chain) => chain.next())
  for (;;) {
    let newest = -1
    for (const [i, head] of heads.entries()) {
      const best = heads[newest]
      if (head.done !== true && (best?.done !== false || head.value.stamp > best.value.stamp)) newest = i
    }
    const head = heads[newest]
    const chain = chains[newest]
    if (head === undefined || head.done === true || chain === undefined) return
    yield head.value
    heads[newest] = chain.next()
  }
}

function* chainBackwards(
  logDirectory: string,
  clone: string,
  query: RecordQuery,
): Generator<LoggedRecord, undefined> {
  const done = new Set<string>()
  const read = new Set<string>()
  for (;;) {
    // Listed again for each file: compaction may have replaced what was listed before.
    const files = listLog(logDirectory).get(clone)
    if (files === undefined) return
    const next = filesInOrder(clone, files).findLast(({ name }) => !done.has(name))
    if (next === undefined) return
    const records = readOrSkip(logDirectory, next.name)
    if (records === undefined) continue
    if (next.isBase) {
      const names = filesInOrder(clone, files).filter(({ isBase }) => isBase)
      const base = names.flatMap(({ name }) => readOrSkip(logDirectory, name) ?? [])
      // What was read from a segment before it was compacted away.
      yield* baseBackwards(
        base.filter(({ t, ops }) => !read.has(t) || ops.some((op) => nameOf(op) !== 'ev')),
        clone,
        query,
      )
      return
    }
    done.add(next.name)
    for (const { t } of records) read.add(t)
    yield* wanted(records.reverse(), clone, query)
    // A clock that was set back may have written an older stamp behind a newer one, but not a whole file of them.
    if (query.since !== undefined && records.length > 0 && records.every(({ t }) => t < (query.since ?? '')))
      return
  }
}

function readOrSkip(logDirectory: string, name: string): LogRecord[] | undefined {
  try {
    return recordsIn(logDirectory, name)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

function* wanted(records: readonly LogRecord[], clone: string, query: RecordQuery): Generator<LoggedRecord> {
  for (const { t, by, ops } of records) {
    // Heads and seals are the store's own.
    const kept = ops.filter((op) => nameOf(op) !== 'head')
    if (kept.length === 0 || !isAsked(t, by, kept, query)) continue
    // A cast: they come out of JSON.parse.
    yield { stamp: t, at: stampTime(t), by, clone, ops: kept as Json[] }
  }
}

function isAsked(stamp: string, by: string, ops: readonly unknown[], query: RecordQuery): boolean {
  const { since = '', until, mentions } = query
  if (stamp < since || (until !== undefined && stamp >= until)) return false
  if (query.by !== undefined && query.by !== by) return false
  return mentions === undefined || JSON.stringify(ops).includes(JSON.stringify(mentions))
}

/** Events outlive compaction for a while; of everything else there is only the outcome, said once. */
function* baseBackwards(
  records: readonly LogRecord[],
  clone: string,
  query: RecordQuery,
): Generator<LoggedRecord> {
  const events = records.filter(({ ops }) => ops.some((op) => nameOf(op) === 'ev')).reverse()
  yield* wanted(events, clone, query)
  const trailer = records.at(-1)
  const entities = records.filter(({ ops }) => ops.some((op) => nameOf(op) === 'st')).length
  const isBefore = query.since !== undefined && (trailer?.t ?? '') < query.since
  if (trailer === undefined || isBefore) return
  yield { stamp: '', at: stampTime(trailer.t), by: 'gt', clone, ops: [], base: { entities } }
}
