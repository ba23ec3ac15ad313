import type { ChainReference } from './chain-reference.js'
import {
  isStructural,
  type Judged,
  judgeChain,
  splitAtSeal,
  type Verdicts,
  wantedGenerations,
} from './chain-verdicts.js'
import { mergeLines } from './merge-lines.js'
import type { Line } from './scan-lines.js'
import { parseLogName, type ScannedChain, type ScannedFile } from './scan-log.js'

export interface MissingLine {
  file: string
  line: Line
}

export interface Planned {
  chain: ScannedChain
  files: ScannedFile[]
  reference: ChainReference
  before: Verdicts
  missing: MissingLine[]
  isWritten: boolean
}

/** Names and new contents; what would overrule others is left out. */
export function planRewrites(planned: Planned): Map<string, string[]> {
  const { chain, files, reference, before, isWritten } = planned
  const names = filesToRewrite(planned)
  const left = new Set<string>()
  const known = new Map<string, Line>()
  for (const lines of [...reference.segments.values(), ...files.map((file) => file.lines)]) {
    for (const line of lines) known.set(line.text, line)
  }
  const committed = new Set(
    [...reference.segments.values()].flatMap((lines) => lines.map(({ text }) => text)),
  )
  for (;;) {
    const contents = new Map([...names].map((name) => [name, contentOf(name, planned, left)]))
    if (!isWritten) return contents
    const after = judgeChain(chain.clone, orderedLines(files, contents, known))
    const victims = [...before.counted].filter(
      (text) => !after.counted.has(text) && !committed.has(text) && !isStructural(recordOf(known, text)),
    )
    if (victims.length === 0) return contents
    const culprits = findCulprits(victims, contents, planned, known)
    // Nothing that was put back is at fault: the order that lives now stays.
    if (culprits.every((text) => left.has(text)))
      return new Map(
        [...contents].filter(([name]) => hasBad(files, name)).map(([name]) => [name, linesOf(files, name)]),
      )
    for (const text of culprits) left.add(text)
  }
}

function filesToRewrite({ files, reference, before, missing, isWritten }: Planned): Set<string> {
  const names = new Set<string>()
  const newest = Math.max(0, ...files.map(({ number }) => number))
  for (const file of files) if (!file.isBase && hasBad(files, file.name)) names.add(file.name)
  for (const [name, lines] of reference.segments) {
    const file = files.find((one) => one.name === name)
    const isGone = file === undefined || file.unreadable !== undefined
    // Beyond the newest number a writer may create the file at any moment; there everything can be appended.
    if (isGone && (!isWritten || (parseLogName(name)?.number ?? 0) < newest)) names.add(name)
    const isClosed = (parseLogName(name)?.number ?? 0) < newest
    if (isClosed && reference.changed.has(name)) names.add(name)
    if (file !== undefined && !isInOrder(lines, file.lines)) names.add(name)
  }
  for (const { file, line } of missing) {
    const isBelow = (parseLogName(file)?.number ?? 0) <= newest
    if (!isWritten || (isBelow && needsItsPlace(line, before))) names.add(file)
  }
  return names
}

function hasBad(files: readonly ScannedFile[], name: string): boolean {
  return files.some((file) => file.name === name && file.junk.some(({ kind }) => kind === 'bad'))
}

/** At the end of the chain it would be void: the chain has gone on from there. */
export function needsItsPlace(line: Judged, before: Verdicts): boolean {
  return wantedGenerations(line.record).some(({ id, generation }) => generation <= before.generationOf(id))
}

/** Whether the lines that both hold stand in the same order. */
function isInOrder(reference: readonly Line[], live: readonly Line[]): boolean {
  const places = new Map(reference.map(({ text }, place) => [text, place]))
  let last = -1
  const seen = new Set<string>()
  for (const { text } of live) {
    const place = places.get(text)
    if (place === undefined || seen.has(text)) continue
    if (place < last) return false
    last = place
    seen.add(text)
  }
  return true
}

/**
 * What counts, then the seal, then what stands behind it; of both the committed order. A seal that only ends the damaged file
 * must not stand before what comes back, and what history holds behind the seal stays there.
 */
function contentOf(name: string, { files, reference }: Planned, left: ReadonlySet<string>): string[] {
  const live = splitAtSeal(files.find((file) => file.name === name)?.lines ?? [])
  const here = new Set(live.counting.map(({ text }) => text))
  const committed = splitAtSeal(reference.segments.get(name) ?? [])
  const behind = new Set(committed.behind.map(({ text }) => text))
  const counting = mergeLines(
    textsOf(committed.counting).filter((text) => !left.has(text) || here.has(text)),
    textsOf(live.counting).filter((text) => !behind.has(text)),
  )
  const isSealLeft = committed.seal !== undefined && left.has(committed.seal.text)
  const seal = (isSealLeft ? undefined : committed.seal) ?? live.seal
  const known = new Set([...counting, ...left])
  const rest = mergeLines(textsOf(committed.behind), textsOf(live.behind)).filter((text) => !known.has(text))
  return [...counting, ...(seal === undefined ? [] : [seal.text]), ...rest]
}

export function textsOf(lines: readonly Line[]): string[] {
  return lines.map(({ text }) => text)
}

function linesOf(files: readonly ScannedFile[], name: string): string[] {
  return (files.find((file) => file.name === name)?.lines ?? []).map(({ text }) => text)
}

/** The chain as it will be: by number, with new contents in their place. */
export function orderedLines(
  files: readonly ScannedFile[],
  contents: ReadonlyMap<string, string[]>,
  known: ReadonlyMap<string, Line>,
): Judged[][] {
  const names = [...new Set([...files.map(({ name }) => name), ...contents.keys()])]
  names.sort((a, b) => orderOf(a) - orderOf(b))
  return names.map((name) => {
    const texts = contents.get(name) ?? linesOf(files, name)
    return texts.flatMap((text) => known.get(text) ?? [])
  })
}

/** Bases first: they stand for what came before. */
function orderOf(name: string): number {
  const file = parseLogName(name)
  return file === undefined || file.isBase ? 0 : file.number
}

/** The lines put back that want what the victims have; failing that, seals, which end a file; failing that, all of them. */
function findCulprits(
  victims: readonly string[],
  contents: ReadonlyMap<string, string[]>,
  { files }: Planned,
  known: ReadonlyMap<string, Line>,
): string[] {
  const putBack = [...contents].flatMap(([name, texts]) => {
    const live = new Set(linesOf(files, name))
    return texts.filter((text) => !live.has(text))
  })
  const wanted = new Set(
    victims.flatMap((text) => wantedGenerations(recordOf(known, text)).map(({ id }) => id)),
  )
  const rivals = putBack.filter((text) =>
    wantedGenerations(recordOf(known, text)).some(({ id }) => wanted.has(id)),
  )
  if (rivals.length > 0) return rivals
  const seals = putBack.filter((text) => isStructural(recordOf(known, text)))
  return seals.length > 0 ? seals : putBack
}

function recordOf(known: ReadonlyMap<string, Line>, text: string) {
  const line = known.get(text)
  return line === undefined ? { t: '', by: '', ops: [] } : line.record
}
