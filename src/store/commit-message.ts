import { decodeRecord, NEWLINE } from './record-line.js'

/** What the new lines of a commit did: `7 records: 2 new bead, 3 new mail`, then one line per author. */
export function commitMessage(pieces: readonly Buffer[]): string {
  const made = new Map<string, number>()
  const authors = new Map<string, number>()
  for (const piece of pieces) countLines(piece, made, authors)
  const total = [...authors.values()].reduce((sum, count) => sum + count, 0)
  const kinds = [...made].sort(byName).map(([kind, count]) => `${count} new ${kind}`)
  const subject = `${total} ${total === 1 ? 'record' : 'records'}${kinds.length > 0 ? `: ${kinds.join(', ')}` : ''}`
  const lines = [...authors].sort(byName).map(([author, count]) => `${author} ${count}`)
  return lines.length > 0 ? `${subject}\n\n${lines.join('\n')}\n` : `${subject}\n`
}

function countLines(piece: Buffer, made: Map<string, number>, authors: Map<string, number>): void {
  let position = 0
  while (position < piece.length) {
    const newline = piece.indexOf(NEWLINE, position)
    const end = newline < 0 ? piece.length : newline
    const record = decodeRecord(piece, position, end)
    if (record !== undefined && record.by !== 'gt') count(authors, record.by)
    for (const op of record?.ops ?? []) {
      if (isNew(op)) count(made, op.k)
    }
    position = end + 1
  }
}

function isNew(op: unknown): op is { o: 'new'; k: string } {
  return (
    typeof op === 'object' &&
    op !== null &&
    'o' in op &&
    op.o === 'new' &&
    'k' in op &&
    typeof op.k === 'string'
  )
}

function count(counts: Map<string, number>, name: string): void {
  // One line each in the message, whatever an author called itself.
  const plain = name.replace(/[\u0000-\u001f\u007f]/g, ' ')
  counts.set(plain, (counts.get(plain) ?? 0) + 1)
}

function byName(a: [string, number], b: [string, number]): number {
  return a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0
}
