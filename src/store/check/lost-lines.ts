import { CLONE_PATTERN } from '../layout.js'
import type { ChainReference } from './chain-reference.js'
import type { Junk } from './scan-lines.js'
import type { ScannedFile } from './scan-log.js'

export interface LostLine {
  file: string
  junk: Junk
}

const STAMP = new RegExp(`\\{"t":"([^"]{24}-[0-9a-f]{4}-${CLONE_PATTERN}-[0-9a-z]{6})"`)

/** A damaged line is no loss when history holds its stamp, or a line that is missing exactly there. */
export function lostIn(file: ScannedFile, reference: ChainReference): LostLine[] {
  const committed = reference.segments.get(file.name) ?? []
  const stamps = new Set([...committed, ...file.lines].map(({ record }) => record.t))
  const taken = new Set(file.lines.map(({ text }) => text))
  return file.junk
    .filter(({ kind }) => kind === 'bad')
    .filter((junk) => {
      const stamp = STAMP.exec(junk.text)?.[1]
      if (stamp !== undefined && stamps.has(stamp)) return false
      const place = committed.findIndex(({ text }) => text === junk.after?.text)
      const candidate = committed.slice(place + 1).find(({ text }) => !taken.has(text))
      if (candidate === undefined) return true
      taken.add(candidate.text)
      return false
    })
    .map((junk) => ({ file: file.name, junk }))
}
