import type { ConvoyProgress } from '../domain/convoy.js'
import type { DiffStat } from './dashboard-source.js'
import { stripEscapes } from './sanitise.js'
import type { Theme } from './theme.js'

/** `<1m`, `12m`, `3h`, `2d`: at most four cells. Empty when it is not known since when. */
export function formatAge(since: string | undefined, now: number): string {
  const at = since === undefined ? Number.NaN : Date.parse(since)
  if (Number.isNaN(at)) return ''
  const minutes = Math.floor(Math.max(0, now - at) / 60_000)
  if (minutes < 1) return '<1m'
  if (minutes < 60) return `${minutes}m`
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)}h`
  return `${Math.min(999, Math.floor(minutes / (24 * 60)))}d`
}

/** Local time, `14:05`. */
export function formatClock(now: number): string {
  const date = new Date(now)
  return `${String(date.getHours()).padStart(2, '0')}:${String(date.getMinutes()).padStart(2, '0')}`
}

/** `940`, `12.3k`, `1.2M`. */
export function formatCount(count: number): string {
  if (count < 1000) return String(count)
  if (count < 999_950) return `${(count / 1000).toFixed(count < 99_950 ? 1 : 0)}k`
  return `${(count / 1_000_000).toFixed(1)}M`
}

/** `+120 −14`; empty for no change. */
export function formatDiff(diff: DiffStat | undefined, theme: Theme): string {
  if (diff === undefined || (diff.added === 0 && diff.removed === 0)) return ''
  return `+${formatCount(diff.added)} ${theme.glyphs.minus}${formatCount(diff.removed)}`
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`
}

/** Share of the bar each part gets: whole cells that add up to `cells`; a part that exists gets at least one. */
export function progressCells(
  progress: ConvoyProgress,
  cells: number,
): Record<'closed' | 'inReview' | 'hooked' | 'open', number> {
  const widths = { closed: 0, inReview: 0, hooked: 0, open: 0 }
  if (progress.total === 0) return { ...widths, open: cells }
  const keys = ['closed', 'inReview', 'hooked', 'open'] as const
  for (const key of keys)
    widths[key] = progress[key] === 0 ? 0 : Math.max(1, Math.floor((progress[key] / progress.total) * cells))
  const rest = () => cells - keys.reduce((sum, key) => sum + widths[key], 0)
  const widest = () => [...keys].sort((a, b) => progress[b] - progress[a] || widths[b] - widths[a])
  for (let gap = rest(); gap !== 0; gap = rest()) {
    const key = gap > 0 ? widest()[0] : [...keys].sort((a, b) => widths[b] - widths[a])[0]
    if (key === undefined || (gap < 0 && widths[key] <= 0)) break
    widths[key] += Math.sign(gap)
  }
  return widths
}

/** The last line of a screen that says something: prompts, rulers and empty boxes do not. */
export function lastTelling(lines: readonly string[]): string {
  for (const line of [...lines].reverse()) {
    const words = stripEscapes(line)
      .replace(/[\u2500-\u259f│|>❯›]/gu, ' ')
      .trim()
    if ((words.match(/\p{L}/gu)?.length ?? 0) >= 3)
      return words.replace(/\s+/gu, ' ').replace(/^[^\p{L}\p{N}"'`($/~]+/u, '')
  }
  return ''
}

/** What to tell the person about a failure; our errors carry their next step in `hint`. */
export function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const hint = 'hint' in error && typeof error.hint === 'string' ? error.hint : undefined
  return hint === undefined ? error.message : `${error.message} (${hint})`
}
