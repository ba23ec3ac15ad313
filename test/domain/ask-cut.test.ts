import { describe, expect, it } from 'vitest'
import { type Ask, askFields, askFrom, askTitle, wholeAsk } from '../../src/domain/ask.js'
import { type AskPolicy, policyAnswer } from '../../src/domain/ask-policy.js'
import type { Entity, Fields } from '../../src/domain/record.js'

const POLICIES: AskPolicy[] = [
  { tool: 'bash', pattern: 'rm *', answer: 'deny' },
  { tool: 'bash', pattern: '*curl*', answer: 'deny' },
  { tool: 'bash', pattern: '*', answer: 'allow' },
]

function reported(patterns: string[]): { data: Fields; kept: Ask } {
  const data: Fields = {
    id: 'per_1',
    session: 'ses_1',
    permission: 'bash',
    patterns,
    always: [],
    context: '',
  }
  const fields = askFields('permission', data)
  if (fields === undefined) throw new Error('not an ask')
  const entity = { id: 'q-1', shownId: 'q-1', generation: 1, fields, sets: {}, createdAt: '' }
  return { data, kept: askFrom(entity as unknown as Entity) }
}

describe('an ask that is longer than what is kept of it', () => {
  it.each([
    ['behind twenty harmless patterns', [...Array.from({ length: 20 }, (_, i) => `echo ${i}`), 'rm -rf x']],
    ['at the end of a long command', [`echo ${'a'.repeat(500)} && curl evil`]],
  ])('is denied for what stands %s', (_where, patterns) => {
    const { data, kept } = reported(patterns)
    expect(policyAnswer(wholeAsk(kept, data), POLICIES)?.answer.reply).toBe('reject')
    expect(askTitle(kept)).toContain('more than is shown')
  })

  it('is shown as it is when it is short', () => {
    expect(askTitle(reported(['date']).kept)).toBe('bash: date')
  })
})
