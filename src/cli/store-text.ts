import type { CompactedStore } from '../app/compact-store.js'

type Compaction = NonNullable<CompactedStore['compaction']>

type History = NonNullable<CompactedStore['history']>

export function compactionText({ compaction, history }: CompactedStore, dryRun: boolean): string[] {
  const lines: string[] = []
  if (compaction !== undefined) lines.push(compactedLine(compaction, dryRun))
  if (compaction?.stopped !== undefined) {
    const { segment, why } = compaction.stopped
    lines.push(`left alone from file ${segment} on: ${why}`)
  }
  if (history !== undefined) lines.push(historyLine(history))
  return lines.length === 0 ? ['nothing is due'] : lines
}

function historyLine({ commits, archivedAs, before, after }: History): string {
  const squashed =
    archivedAs === undefined
      ? `history: ${count(commits, 'commit')}`
      : `history: one commit of ${commits}, kept as ${archivedAs}`
  return `${squashed}; ${byteText(before)} -> ${byteText(after)}`
}

function compactedLine({ segments, entities, before, after }: Compaction, dryRun: boolean): string {
  if (segments === 0) return `nothing to compact: ${size(before)}`
  const verb = dryRun ? 'would fold' : 'folded'
  return `${verb} ${count(segments, 'full file')} into ${count(entities, 'entity', 'entities')}: ${size(before)} -> ${size(after)}`
}

function size({ files, bytes }: Compaction['before']): string {
  return `${count(files, 'file')}, ${byteText(bytes)}`
}

function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`
}

export function byteText(bytes: number): string {
  if (bytes < 1000) return `${bytes} bytes`
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(1)} kB`
  return `${(bytes / 1e6).toFixed(1)} MB`
}
