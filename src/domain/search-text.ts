import type { Entity } from './record.js'

/** Where words of a bead stand, and how much a hit there weighs. */
const WEIGHTS = {
  title: 10,
  labels: 6,
  description: 3,
  acceptance_criteria: 3,
  design: 2,
  notes: 2,
  close_reason: 1,
  external_ref: 1,
  comment: 1,
} as const

export type SearchField = 'id' | keyof typeof WEIGHTS

export interface FieldText {
  field: SearchField
  text: string
}

/** Lower case, each once. */
export function wordsOf(query: string): string[] {
  return [...new Set(query.toLowerCase().split(/\s+/).filter(Boolean))]
}

/** Everything of an entity that can be searched without asking for its comments. */
export function textsOf(entity: Entity): FieldText[] {
  const texts: FieldText[] = [{ field: 'id', text: entity.shownId }]
  for (const field of Object.keys(WEIGHTS) as (keyof typeof WEIGHTS)[]) {
    const value = field === 'labels' ? entity.sets.labels?.join(' ') : entity.fields[field]
    if (typeof value === 'string' && value !== '') texts.push({ field, text: value })
  }
  return texts
}

/**
 * The part of the words by which a store can leave out most of the rest without understanding it: the longest run of plain
 * characters, which JSON writes as they are.
 */
export function searchNeedle(words: readonly string[]): string | undefined {
  const runs = words.flatMap((word) => word.match(/[ !#-[\]-~]{2,}/g) ?? [])
  return runs.sort((a, b) => b.length - a.length)[0]
}

export interface Hit {
  score: number
  /** Where the best hit is. */
  field: SearchField
  excerpt: string
}

/** @returns undefined unless every word is somewhere in `texts` */
export function rank(texts: readonly FieldText[], words: readonly string[], phrase: string): Hit | undefined {
  const lower = texts.map(({ field, text }) => ({ field, text, lower: text.toLowerCase() }))
  let score = 0
  for (const word of words) {
    const hits = lower.filter((one) => one.lower.includes(word))
    if (hits.length === 0) return undefined
    score += Math.max(...hits.map((one) => weight(one.field, one.lower, word)))
  }
  const withPhrase = lower.filter((one) => one.lower.includes(phrase))
  if (words.length > 1) score += Math.max(0, ...withPhrase.map((one) => weight(one.field, one.lower, phrase)))
  const best = [...lower].sort((a, b) => total(b, words) - total(a, words))[0]
  if (best === undefined) return undefined
  return { score, field: best.field, excerpt: excerpt(best.text, best.lower, words) }
}

function total(one: { field: SearchField; lower: string }, words: readonly string[]): number {
  return words.reduce(
    (sum, word) => sum + (one.lower.includes(word) ? weight(one.field, one.lower, word) : 0),
    0,
  )
}

/** Half as much again at the start of a word. An id that is typed whole is what was meant. */
function weight(field: SearchField, text: string, word: string): number {
  if (field === 'id') return text === word ? 100 : 4
  const at = text.indexOf(word)
  const isWordStart = at === 0 || !/[\p{L}\p{N}]/u.test(text[at - 1] ?? '')
  return WEIGHTS[field] * (isWordStart ? 1.5 : 1)
}

const BEFORE = 30
const EXCERPT = 110

function excerpt(text: string, lower: string, words: readonly string[]): string {
  const places = words.map((word) => lower.indexOf(word)).filter((at) => at >= 0)
  const hit = Math.min(...places, text.length)
  const wordEnd = text.slice(Math.max(0, hit - BEFORE), hit).search(/\s/)
  // Not in the middle of a word, when there is another way.
  const start = hit <= BEFORE ? 0 : hit - BEFORE + Math.max(0, wordEnd + 1)
  const piece = text
    .slice(start, start + EXCERPT)
    .replace(/\s+/g, ' ')
    .trim()
  return `${start > 0 ? '…' : ''}${piece}${start + EXCERPT < text.length ? '…' : ''}`
}
