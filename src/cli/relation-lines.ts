import type { Relation } from '../app/dependencies.js'
import { plain } from './table.js'

const TO: Record<string, string> = {
  'parent-child': 'child of',
  related: 'related to',
  'discovered-from': 'found at',
}
const FROM: Record<string, string> = {
  blocks: 'holds back',
  'parent-child': 'child',
  related: 'related to',
  'discovered-from': 'led to',
}

/** What `gt bead show` says of other beads; open blockers have a line of their own. */
export function relationLines({
  to,
  from,
}: {
  to: readonly Relation[]
  from: readonly Relation[]
}): string[] {
  return [
    ...to.filter(({ type }) => type !== 'blocks').map((one) => line(TO[one.type] ?? one.type, one)),
    ...from.map((one) => line(FROM[one.type] ?? one.type, one)),
  ]
}

function line(word: string, { shownId, status, title }: Relation): string {
  return `  ${plain(word)} ${plain(shownId)}${status === undefined ? ' (not here)' : ` (${status}) ${plain(title ?? '', 80)}`}`
}

export function relationsJson({ to, from }: { to: readonly Relation[]; from: readonly Relation[] }) {
  const json = ({ type, shownId, key, title, status }: Relation) => ({
    id: shownId,
    key,
    type,
    title: title ?? null,
    status: status ?? null,
  })
  return { dependencies: to.map(json), dependents: from.map(json) }
}
