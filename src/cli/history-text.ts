import type { beadHistory } from '../app/bead-history.js'
import { brief } from '../domain/describe-op.js'
import { plain } from './table.js'

type History = Awaited<ReturnType<typeof beadHistory>>['history']
type Entry = History['entries'][number]

const WORDS: Record<Entry['kind'], string> = {
  made: 'made',
  changed: '',
  imported: 'imported',
  outcome: 'outcome of all before (compacted)',
  deleted: 'deleted',
  event: '',
}

export function historyLines({ entries, compactedUpTo }: History): string[] {
  const lines = entries.flatMap(entryLines)
  if (compactedUpTo === undefined) return lines
  return [
    ...lines,
    '',
    `Before ${compactedUpTo} only the outcome is kept: overwritten values, and who wrote them, were dropped by compaction.`,
  ]
}

function entryLines(entry: Entry): string[] {
  const head = `${entry.at}  ${plain(entry.by, 40)}  `
  const marked = entry.verdict === 'counts' ? '' : `${entry.verdict.toUpperCase()}, wanted: `
  const parts = [
    ...(WORDS[entry.kind] === '' ? [] : [WORDS[entry.kind]]),
    ...entry.changes.map((change) => `${marked}${changeText(change)}`),
    ...entry.comments.map(({ at, by, text }) =>
      entry.kind === 'imported'
        ? `comment of ${plain(by, 40)}, ${at}: ${plain(text, 120)}`
        : `comment: ${plain(text, 120)}`,
    ),
    ...entry.events.map(({ type, data }) => `${type} ${plain(brief({ ...data }, true, 100))}`),
  ]
  return parts.map((part, i) => `${i === 0 ? head : ' '.repeat(head.length)}${part}`)
}

function changeText({ field, from, to, added = [], removed = [] }: Entry['changes'][number]): string {
  if (added.length + removed.length > 0) {
    const signed = [...added.map((one) => `+${one}`), ...removed.map((one) => `-${one}`)]
    return `${field} ${plain(signed.join(' '), 160)}`
  }
  return `${field} ${plain(brief(from), 80)} -> ${plain(brief(to), 80)}`
}
