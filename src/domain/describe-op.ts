import type { Json } from './record.js'

/** One op of the log in a few words; what this version does not know is shown as it stands. */
export function describeOp(op: Json, shownId: (key: string) => string): string {
  if (typeof op !== 'object' || op === null || Array.isArray(op)) return brief(op)
  const id = typeof op.id === 'string' ? shownId(op.id) : ''
  switch (op.o) {
    case 'new':
      return `new ${brief(op.k ?? '', false)} ${id} ${fields(op.f)}`.trimEnd()
    case 'set':
      return `${id} ${fields(op.f)}`
    case 'move':
      return `${id} -> generation ${brief(op.gen ?? null)} ${fields(op.f)}`
    case 'add':
    case 'del':
      return `${id} ${brief(op.f ?? '', false)} ${list(op.x)
        .map((one) => `${op.o === 'add' ? '+' : '-'}${brief(one, false)}`)
        .join(' ')}`
    case 'say':
      return `${id} said ${brief(op.x ?? '')}`
    case 'ev':
      return `${brief(op.type ?? '', false)} ${fields(op.data)}`.trimEnd()
    case 'gone':
      return `${id} deleted`
    case 'st':
      return `${id} taken from elsewhere`
    default:
      return brief(op)
  }
}

function list(value: Json | undefined): Json[] {
  return Array.isArray(value) ? value : []
}

/** What an import remembers for the way back tells nobody anything. */
function fields(value: Json | undefined): string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return ''
  return Object.entries(value)
    .filter(([name]) => name !== 'bd')
    .map(([name, one]) => `${name}=${brief(one)}`)
    .join(' ')
}

const BRIEF = 80

/** JSON, cut; texts without quotes when told so. */
export function brief(value: Json, quoted = true, length = BRIEF): string {
  const text = typeof value === 'string' && !quoted ? value : JSON.stringify(value)
  return text.length > length ? `${text.slice(0, length - 1)}…` : text
}
