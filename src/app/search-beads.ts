import { type Bead, beadFrom } from '../domain/bead.js'
import { UsageError } from '../domain/errors.js'
import type { Entity } from '../domain/record.js'
import { type Hit, rank, searchNeedle, textsOf, wordsOf } from '../domain/search-text.js'
import type { View } from '../ports/ledger.js'

export interface FoundBead extends Hit {
  bead: Bead
}

/** Beads of any status, archived ones included, that hold every word, best first: a word in the title weighs more than one in a comment. */
export function searchBeads(view: View, query: string, limit: number): { total: number; found: FoundBead[] } {
  const words = wordsOf(query)
  if (words.length === 0)
    throw new UsageError('say what to look for', { code: 'empty-text', hint: 'gt bead search WORDS' })
  const phrase = words.join(' ')
  const needle = searchNeedle(words)
  const found: FoundBead[] = []
  for (const entity of view.list({
    kind: 'bead',
    archived: 'too',
    ...(needle === undefined ? {} : { text: needle }),
  })) {
    const hit = rankEntity(view, entity, words, phrase)
    if (hit !== undefined) found.push({ ...hit, bead: beadFrom(entity) })
  }
  found.sort(
    (a, b) =>
      b.score - a.score ||
      Number(a.bead.status === 'closed') - Number(b.bead.status === 'closed') ||
      (a.bead.updatedAt < b.bead.updatedAt ? 1 : -1),
  )
  return { total: found.length, found: found.slice(0, limit) }
}

function rankEntity(view: View, entity: Entity, words: readonly string[], phrase: string): Hit | undefined {
  const texts = textsOf(entity)
  if (entity.commentCount > 0) {
    for (const { text } of view.comments(entity.id)) texts.push({ field: 'comment', text })
  }
  return rank(texts, words, phrase)
}
