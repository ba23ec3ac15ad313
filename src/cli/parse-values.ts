import { BEAD_STATUSES, type BeadStatus } from '../domain/bead.js'
import { UsageError } from '../domain/errors.js'
import { printable } from '../domain/ids.js'

export function parsePriority(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (/^[pP]?[0-4]$/.test(text)) return Number(text.replace(/^[pP]/, ''))
  throw new UsageError(`priority "${printable(text)}" is not one of 0 (first) to 4 (last)`, {
    code: 'bad-priority',
    hint: 'like: -p 1',
  })
}

export function parseStatuses(values: readonly string[]): (BeadStatus | 'blocked')[] | undefined {
  if (values.length === 0) return undefined
  const known = [...BEAD_STATUSES, 'blocked'] as const
  return values
    .flatMap((value) => value.split(','))
    .map((value) => {
      const status = known.find((candidate) => candidate === value)
      if (status) return status
      throw new UsageError(`"${printable(value)}" is not a status`, {
        code: 'bad-status',
        hint: `one of ${known.join(', ')}`,
      })
    })
}

/** @param least - smallest value that makes sense */
export function parseCount(text: string | undefined, what: string, least = 0): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (Number.isInteger(value) && value >= least) return value
  throw new UsageError(`${what} "${printable(text)}" is not a whole number of at least ${least}`, {
    code: 'bad-number',
  })
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** `90s`, `10m`, `2h`, `3d` → milliseconds. */
export function parseDuration(text: string | undefined, what: string): number | undefined {
  if (text === undefined) return undefined
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text)
  const value = match ? Number(match[1]) * (UNIT_MS[match[2] ?? ''] ?? 0) : 0
  if (value > 0) return value
  throw new UsageError(`${what} "${printable(text)}" is not a duration`, {
    code: 'bad-duration',
    hint: 'like 90s, 10m or 2h',
  })
}

/** `none` takes a value away. */
export function orNone(text: string | undefined): string | null | undefined {
  return text === 'none' ? null : text
}
