import { GtError } from '../errors.js'
import { printable } from '../ids.js'
import type { Json } from '../record.js'
import { type Incoming, isKept, type ReadOptions, readIssue } from './read-issue.js'

export interface LineProblem {
  /** 1-based. */
  line: number
  id?: string
  why: string
}

export interface ReadLine {
  line: number
  incoming: Incoming
}

export interface ReadLines {
  read: ReadLine[]
  /** Not to be understood, or not to be kept whole. */
  bad: LineProblem[]
  /** Understood, and no issues: what bd writes besides them. */
  others: LineProblem[]
}

/** Takes the JSON lines of bd apart. */
export function parseLines(text: string, options: ReadOptions): ReadLines {
  const result: ReadLines = { read: [], bad: [], others: [] }
  const seen = new Map<string, number>()
  const lines = text.replace(/^\uFEFF/, '').split('\n')
  for (const [index, source] of lines.entries()) {
    if (source.trim() === '') continue
    const line = index + 1
    const outcome = readLine(source, options)
    if (typeof outcome === 'string') {
      result.bad.push({ line, why: outcome })
    } else if ('other' in outcome) {
      result.others.push({ line, why: `a ${printable(outcome.other)} record, not an issue` })
    } else {
      const before = seen.get(outcome.id)
      if (before !== undefined)
        result.bad.push({ line, id: outcome.id, why: `${outcome.id} stands in line ${before} already` })
      else result.read.push({ line, incoming: outcome })
      seen.set(outcome.id, before ?? line)
    }
  }
  return result
}

function readLine(source: string, options: ReadOptions): Incoming | { other: string } | string {
  let value: Json
  try {
    value = JSON.parse(source) as Json
  } catch (error) {
    return `not JSON: ${printable(error instanceof Error ? error.message : '', 120)}`
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'not a JSON object'
  if (typeof value._type === 'string' && value._type !== 'issue') return { other: value._type }
  if (typeof value.id !== 'string' || value.id === '') return 'it has no id'
  const inexact = inexactNumber(source)
  if (inexact !== undefined) return `the number ${printable(inexact)} cannot be kept exactly`
  try {
    const incoming = readIssue(value, options)
    return isKept(incoming) ? incoming : 'it would not come out again as it went in'
  } catch (error) {
    if (error instanceof GtError) return error.message
    throw error
  }
}

/** A number that JSON.parse would change. */
function inexactNumber(source: string): string | undefined {
  if (!/\d{16}|\d\.?\d*[eE]/.test(source)) return undefined
  const numbers = source.replace(/"(?:[^"\\]|\\.)*"/g, '""').match(/-?\d[\d.eE+-]*/g) ?? []
  return numbers.find((number) => normalised(number) !== normalised(String(Number(number))))
}

/** Digits without leading and trailing zeros, and the power of ten: equal for equal numbers. */
function normalised(number: string): string {
  const match = /^(-?)(\d*)\.?(\d*)(?:[eE]([+-]?\d+))?$/.exec(number)
  if (match === null) return `not a number: ${number}`
  const [, sign, whole = '', fraction = '', exponent = '0'] = match
  const digits = `${whole}${fraction}`.replace(/^0+/, '')
  const kept = digits.replace(/0+$/, '')
  if (kept === '') return '0'
  return `${sign}${kept}e${Number(exponent) - fraction.length + digits.length - kept.length}`
}
