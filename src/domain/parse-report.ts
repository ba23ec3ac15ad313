import { UsageError } from './errors.js'
import type { Json } from './record.js'
import type { Report } from './report.js'

/** @throws UsageError code `bad-report` naming the line */
export function parseReports(lines: string): Report[] {
  return lines
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map(parseReport)
}

function parseReport(line: string, index: number): Report {
  const bad = (why: string): never => {
    throw new UsageError(`line ${index + 1} of the report ${why}`, {
      code: 'bad-report',
      hint: '{"type":"session.idle","at":"…","session":"ses_…"}',
    })
  }
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return bad('is not JSON')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return bad('is not an object')
  const { type, ...data } = value as Record<string, Json>
  if (typeof type !== 'string' || !/^[a-z]+(?:\.[a-z]+)*$/.test(type))
    return bad('has no type like "session.idle"')
  return { type, data }
}
