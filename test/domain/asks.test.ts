import { describe, expect, it } from 'vitest'
import { type Ask, askFields, askTitle, tookAnswer } from '../../src/domain/ask.js'
import { answerOf } from '../../src/domain/ask-answer.js'
import { type AskPolicy, fits, policyAnswer } from '../../src/domain/ask-policy.js'

function anAsk(fields: Partial<Ask> = {}): Ask {
  return {
    id: 'q-1',
    shownId: 'q-1',
    generation: 1,
    agent: 'proj/toast',
    session: 's-1',
    conversation: 'ses_1',
    isSubagent: false,
    kind: 'permission',
    request: 'per_1',
    tool: 'bash',
    patterns: ['git push origin main'],
    always: [],
    context: '',
    questions: [],
    options: [],
    status: 'open',
    createdAt: '2025-01-01T00:00:00.000Z',
    ...fields,
  }
}
const question = (fields: Partial<Ask> = {}) =>
  anAsk({
    kind: 'question',
    tool: 'question',
    patterns: [],
    questions: ['Tea?'],
    options: [['Yes', 'No']],
    ...fields,
  })

describe('an answer to a permission', () => {
  it.each([
    [['allow'], { reply: 'once' }],
    [['always'], { reply: 'always' }],
    [['use', 'npm ci'], { reply: 'reject', message: 'use npm ci' }],
  ])('%j', (typed, answer) => {
    expect(answerOf(anAsk(), typed, 'human')).toEqual(answer)
  })
  it('that denies always has words for the model, because its turn would end without', () => {
    expect(answerOf(anAsk(), ['deny'], 'human').message).toContain('a person said no')
    expect(answerOf(anAsk(), ['deny'], 'policy 2').message).toContain('policy 2')
  })
  it('is not nothing', () => {
    expect(() => answerOf(anAsk(), [' '], 'human')).toThrow(/an answer is missing/)
  })
})

describe('an answer to a question', () => {
  it.each([
    [['yes'], [['Yes']]],
    [['2'], [['No']]],
    [['3'], [['3']]],
    [['with milk'], [['with milk']]],
  ])('%j', (typed, answers) => {
    expect(answerOf(question(), typed, 'human')).toEqual({ answers })
  })
  it('is one for each question', () => {
    const two = question({ questions: ['Tea?', 'Milk?'], options: [['Yes'], ['No']] })
    expect(answerOf(two, ['yes', 'no'], 'human')).toEqual({ answers: [['Yes'], ['No']] })
    expect(() => answerOf(two, ['yes'], 'human')).toThrow(/2 questions are asked/)
    expect(answerOf(two, ['deny'], 'human').answers).toHaveLength(2)
  })
  it('is a label even when it reads like an answer to a permission', () => {
    expect(answerOf(question({ options: [['Allow', 'Deny']] }), ['deny'], 'human')).toEqual({
      answers: [['Deny']],
    })
    expect(() => answerOf(question(), ['always'], 'human')).toThrow(/answers a permission/)
  })
})

describe('policies', () => {
  const policies: AskPolicy[] = [
    { tool: 'bash', pattern: 'git push*', answer: 'deny' },
    { tool: 'bash', pattern: 'git *', answer: 'allow' },
    { tool: 'edit', pattern: '*.lock', answer: 'leave lock files alone' },
    { tool: 'question', pattern: '*tea*', answer: 'No' },
    { tool: 'ba?h', pattern: 'npm *', answer: 'always' },
  ]
  const decide = (ask: Ask) => policyAnswer(ask, policies)
  it('answer by the first that fits', () => {
    expect(decide(anAsk())).toMatchObject({ by: 'policy 1', answer: { reply: 'reject' } })
    expect(decide(anAsk({ patterns: ['git log'] }))).toMatchObject({
      by: 'policy 2',
      answer: { reply: 'once' },
    })
    expect(decide(anAsk({ tool: 'edit', patterns: ['a/b.lock'] }))).toMatchObject({
      answer: { reply: 'reject', message: 'leave lock files alone' },
    })
    expect(decide(question({ questions: ['Is it tea?'] }))).toMatchObject({ answer: { answers: [['No']] } })
  })
  it('deny the whole for one part, and allow it only for all parts, the narrower way', () => {
    expect(decide(anAsk({ patterns: ['git log', 'git push'] }))?.answer.reply).toBe('reject')
    expect(decide(anAsk({ patterns: ['git log', 'rm x'] }))).toBeUndefined()
    expect(decide(anAsk({ patterns: ['npm ci', 'git log'] }))?.answer.reply).toBe('once')
    expect(decide(anAsk({ patterns: ['npm ci'] }))?.answer.reply).toBe('always')
  })
  it('leave everything else to a person', () => {
    expect(decide(anAsk({ patterns: ['make'] }))).toBeUndefined()
    expect(policyAnswer(question(), [{ tool: '*', pattern: '*', answer: 'allow' }])).toBeUndefined()
  })
  it('take their patterns literally but for * and ?', () => {
    expect(fits('a.b*', 'a.b\nc')).toBe(true)
    expect(fits('a.b', 'axb')).toBe(false)
    expect(fits('(x)?', '(x)y')).toBe(true)
  })
})

describe('what a plugin reports', () => {
  it('becomes an ask, cut to a size the store takes; nonsense does not', () => {
    const fields = askFields('permission', {
      id: 'per_1',
      session: 'ses_1',
      childSession: 'ses_2',
      child: true,
      permission: 'bash',
      patterns: ['x'.repeat(9_000), 7, 'y'],
      context: 'c'.repeat(9_000),
    })
    expect(fields).toMatchObject({ request: 'per_1', conversation: 'ses_2', child: true, tool: 'bash' })
    expect(JSON.stringify(fields).length).toBeLessThan(3_000)
    expect(askFields('question', { session: 'ses_1' })).toBeUndefined()
  })
  it('keeps no secret that can be told by its looks', () => {
    const secrets = [
      'curl -H "Authorization: Bearer abc.def" https://x',
      'curl -u me https://me:hunter2@host/x',
      'mysql --password=hunter2 --token hunter2 -e x',
      'GITHUB_TOKEN=hunter2 API_KEY="hunter2" make',
      'echo sk-abcdefghijklmnopqrstuv ghp_abcdefghijklmnopqrstuvwxyz0123',
    ]
    const { patterns, context } = askFields('permission', {
      id: 'per_1',
      session: 'ses_1',
      patterns: secrets,
      context: secrets.join('\n'),
    }) as { patterns: string[]; context: string }
    for (const text of [...patterns, context]) expect(text).not.toMatch(/hunter2|abc\.def|sk-abc|ghp_/)
    expect(patterns[0]).toContain('Authorization: Bearer ***')
    expect(
      askFields('permission', { id: 'x', session: 's', patterns: ['git push origin main'] })?.patterns,
    ).toEqual(['git push origin main'])
  })
  it('has a title of one line', () => {
    expect(askTitle(anAsk({ patterns: ['a\nb', 'c'] }))).toBe('bash: a b, c')
    expect(askTitle(question())).toBe('Tea?')
  })
  it('proves an answer only when it is the one that was given', () => {
    const given = anAsk({ status: 'closed', outcome: 'replied', answer: { reply: 'once' } })
    expect(tookAnswer({ ...given, reply: 'once' })).toBe(true)
    expect(tookAnswer({ ...given, reply: 'reject' })).toBe(false)
    expect(tookAnswer({ ...given, outcome: 'gone' })).toBe(false)
    const chosen = question({ outcome: 'replied', answer: { answers: [['No']] } })
    expect(tookAnswer({ ...chosen, reply: '[["No"]]' })).toBe(true)
    expect(tookAnswer({ ...chosen, reply: '[["Yes"]]' })).toBe(false)
  })
})
