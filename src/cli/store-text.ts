import type { CompactedStore } from '../app/compact-store.js'

type Compaction = NonNullable<CompactedStore['compaction']>

export function compactionText({ compaction }: CompactedStore, dryRun: boolean): string[] {
  if (compaction === undefined) return ['nothing is due']
  const lines = [compactedLine(compaction, dryRun)]
  const { stopped } = compaction
  if (stopped !== undefined) {
    lines.push(`left alone from file ${stopped.segment} on: ${stopped.why}; gt doctor says more`)
  }
  return lines
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
