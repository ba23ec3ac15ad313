import { type ChainFiles, FORMAT, groupLog, noFiles, segmentName } from '../layout.js'
import { type LogScan, scanLog } from './scan-log.js'

export interface ChainWrite {
  name: string
  content: Buffer
  /** Ours does not begin it: somebody repaired the file, and readers have passed what was changed. */
  isReplacement: boolean
}

export interface ChainPlan {
  kind: 'apply'
  /** In the order in which they must appear: a reader must never see a later file without the rest of an earlier one. */
  writes: ChainWrite[]
  /** What a base replaces, and parts of bases that are not whole; after the writes. */
  deletes: string[]
  /** New to us. */
  records: number
  bytes: number
  damagedLines: number
}

export type ChainVerdict = ChainPlan | { kind: 'refused'; code: RefusalCode; why: string }

/**
 * `newer-format`: written by a newer gt. `incomplete`: a segment or the end of a base is missing. `damaged-base`: a line of a
 * base is not good. `lacks-records`: records that we hold are not in it.
 */
export type RefusalCode = 'newer-format' | 'incomplete' | 'damaged-base' | 'lacks-records'

export interface ChainOffer {
  clone: string
  /** Our copy, by name; read when it matters. */
  held: ReadonlyMap<string, () => Buffer>
  /** What the remote has, by name; undefined: the same bytes as ours. */
  incoming: ReadonlyMap<string, Buffer | undefined>
}

/**
 * Decides whether what the remote has of a chain may replace our copy. A chain only grows, or is replaced up to some segment
 * by a base: whatever else would take records away from us is refused as a whole, and our copy stays.
 */
export function planChain(offer: ChainOffer): ChainVerdict {
  const { clone, held, incoming } = offer
  const files = groupLog(incoming.keys()).get(clone) ?? noFiles()
  const base = files.bases.at(-1) ?? 0
  const baseFiles = files.baseFiles.get(base) ?? []
  const segments = files.segments
    .filter((number) => number > base)
    .map((number) => segmentName(clone, number))
  const problem = findGap(clone, base, files) ?? findLoss(offer, base)
  if (problem !== undefined) return problem
  const plan: ChainPlan = { kind: 'apply', writes: [], deletes: [], records: 0, bytes: 0, damagedLines: 0 }
  const refusal = checkBase(offer, baseFiles, base)
  if (refusal !== undefined) return refusal
  for (const name of [...baseFiles, ...segments]) {
    const newer = addFile(plan, offer, name)
    if (newer !== undefined) return newer
  }
  const wanted = [...baseFiles, ...segments]
  plan.deletes = [...held.keys()].filter((name) => !wanted.includes(name)).sort()
  return plan
}

function refuse(code: RefusalCode, why: string): ChainVerdict & { kind: 'refused' } {
  return { kind: 'refused', code, why }
}

function findGap(clone: string, base: number, { segments }: ChainFiles) {
  let expected = base + 1
  for (const number of segments) {
    if (number <= base) continue
    if (number !== expected) return refuse('incomplete', `${segmentName(clone, expected)} is missing`)
    expected++
  }
  return undefined
}

/** Every record that we hold must be there again, or be covered by a base. */
function findLoss({ clone, held, incoming }: ChainOffer, base: number) {
  const { bases, segments } = groupLog(held.keys()).get(clone) ?? noFiles()
  const lostBase = bases.find((number) => number > base)
  if (lostBase !== undefined) return refuse('lacks-records', `the base of segments 1 to ${lostBase} is gone`)
  for (const number of segments) {
    if (number <= base) continue
    const name = segmentName(clone, number)
    if (!incoming.has(name)) return refuse('lacks-records', `${name} is gone, and no base replaces it`)
    const theirs = incoming.get(name)
    const ours = held.get(name)?.() ?? Buffer.alloc(0)
    if (theirs === undefined || startsWith(theirs, ours)) continue
    const missing = missingLines(ours, theirs)
    if (missing > 0) return refuse('lacks-records', `${name} lacks ${missing} of the records that are here`)
  }
  return undefined
}

/** A base stands for what it replaces: every line of it must be good, and as many as its trailer says. */
function checkBase({ incoming }: ChainOffer, names: readonly string[], base: number) {
  const contents = names.map((name) => incoming.get(name))
  // The same bytes as ours, which were checked when they came.
  if (contents.every((content) => content === undefined)) return undefined
  let states = 0
  let trailer: LogScan['trailer']
  for (const [i, content] of contents.entries()) {
    const scan = scanLog(content ?? Buffer.alloc(0))
    const damaged = scan.torn + scan.bad
    if (damaged > 0) return refuse('damaged-base', `${names[i]} holds ${damaged} damaged lines`)
    states += scan.states
    trailer = scan.trailer
  }
  if (trailer?.upto !== base || trailer.n !== states)
    return refuse('incomplete', `${names.at(-1)} has no fitting last line`)
  return undefined
}

function addFile(plan: ChainPlan, { held, incoming }: ChainOffer, name: string) {
  const content = incoming.get(name)
  const ours = held.get(name)?.()
  if (content === undefined || ours?.equals(content) === true) return undefined
  const isPrefix = ours !== undefined && startsWith(content, ours)
  const known = isPrefix || ours === undefined ? new Set<string>() : linesOf(ours)
  let fresh = 0
  const scan = scanLog(isPrefix ? content.subarray(ours.length) : content, (_record, line) => {
    if (!known.has(line)) fresh++
  })
  if (scan.format > FORMAT) {
    return refuse('newer-format', `${name} has format ${scan.format}, this gt knows ${FORMAT}: update gt`)
  }
  plan.writes.push({ name, content, isReplacement: ours !== undefined && !isPrefix })
  // Compaction writes down again what came before: news only to who has nothing of it.
  if (!isBase(name) || held.size === 0) plan.records += fresh
  plan.bytes += isPrefix ? content.length - ours.length : content.length
  plan.damagedLines += scan.bad
  return undefined
}

export function isBase(name: string): boolean {
  return name.includes('.base')
}

export function startsWith(bytes: Buffer, beginning: Buffer): boolean {
  return bytes.length >= beginning.length && bytes.subarray(0, beginning.length).equals(beginning)
}

export function linesOf(bytes: Buffer): Set<string> {
  const lines = new Set<string>()
  scanLog(bytes, (_record, line) => lines.add(line))
  return lines
}

function missingLines(ours: Buffer, theirs: Buffer): number {
  const there = linesOf(theirs)
  let missing = 0
  scanLog(ours, (_record, line) => {
    if (!there.has(line)) missing++
  })
  return missing
}
