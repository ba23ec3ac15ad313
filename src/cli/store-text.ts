import type { CompactedStore } from '../app/compact-store.js'
import type { PurgedEntity } from '../app/purge-entity.js'
import { plain } from './table.js'

type Compaction = NonNullable<CompactedStore['compaction']>

type History = NonNullable<CompactedStore['history']>

export function compactionText({ compaction, history, purges }: CompactedStore, dryRun: boolean): string[] {
  const lines: string[] = []
  if (compaction !== undefined) lines.push(compactedLine(compaction, dryRun))
  if (compaction?.stopped !== undefined) {
    const { segment, why } = compaction.stopped
    lines.push(`left alone from file ${segment} on: ${why}`)
  }
  const blobs = compaction?.blobs
  if (blobs !== undefined && blobs.files > 0) {
    lines.push(`${dryRun ? 'would delete' : 'deleted'} texts that nothing names: ${size(blobs)}`)
  }
  if (purges !== undefined && purges > 0) lines.push(`carried out ${count(purges, 'purge')}`)
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

export function purgeText({ shownId, what, receipt }: PurgedEntity, dryRun: boolean): string[] {
  const { values, events, blobs, commits, otherClones, untouched } = receipt
  const subject = what.includes('*') ? `${plain(shownId)} as a whole` : `parts of ${plain(shownId)}`
  const lines = [
    `${dryRun ? 'would destroy' : 'destroyed'} ${subject}: ${count(values, 'value or comment', 'values and comments')}, ${count(events, 'event')}`,
  ]
  if (!dryRun)
    lines.push(`rewrote the log, ${count(blobs, 'long text')} and ${count(commits, 'commit')} are gone`)
  if (otherClones.length > 0) {
    lines.push(
      `${count(otherClones.length, 'other machine')} will do the same after the next gt sync there: ${otherClones.join(', ')}`,
    )
  }
  for (const folder of untouched) lines.push(`not touched, look yourself: ${folder}`)
  lines.push(
    'out of reach: objects the remote still keeps, machines that never sync, backups, copies in other texts',
  )
  return lines
}
