import { describe, expect, it } from 'vitest'
import {
  addToRows,
  type CountedMarks,
  joinMarks,
  marksFrom,
  takeUncounted,
  tokenSum,
  type UsageMessage,
  usageMessages,
} from '../../src/domain/usage.js'

const message = (id: string, doneAtMs: number, more: Partial<UsageMessage> = {}): UsageMessage => ({
  id,
  conversation: 'ses_a',
  doneAtMs,
  model: 'p/m',
  trigger: 'work',
  tokens: { input: 10, output: 5, reasoning: 0, cacheRead: 1, cacheWrite: 0 },
  costUsd: 0.1,
  ...more,
})
const NONE: CountedMarks = { floor: '', upTo: {} }
const ids = (messages: readonly UsageMessage[]) => messages.map(({ id }) => id)

describe('what a plugin reports', () => {
  it('is read, and nonsense in it counts nothing', () => {
    const line = {
      id: 'msg_1',
      in: 'ses_a',
      done: 7,
      model: 'p/m',
      trigger: 'mail',
      cost: 0.5,
      tokens: [1, 2, 3, 4, 5],
    }
    const odd = [
      { ...line, id: 'msg_2', cost: -1, tokens: 'many', trigger: 'magic' },
      { ...line, id: 'msg_3', cost: Number.NaN, tokens: [Number.POSITIVE_INFINITY] },
      { ...line, done: 'now' },
      { in: 'ses_a', done: 7 },
      null,
      'x',
    ]
    const read = usageMessages({ messages: [line, ...odd] })
    expect(ids(read)).toEqual(['msg_1', 'msg_2', 'msg_3'])
    expect(read[0]).toMatchObject({ trigger: 'mail', costUsd: 0.5 })
    expect(read.map(({ tokens }) => tokenSum(tokens))).toEqual([15, 0, 0])
    expect(read[1]).toMatchObject({ trigger: 'work', costUsd: 0 })
    expect(usageMessages({ messages: 'x' })).toEqual([])
  })
})

describe('counting', () => {
  it('takes each message once, in any batches', () => {
    const first = takeUncounted(NONE, [message('m1', 1), message('m2', 2)])
    expect(ids(first.fresh)).toEqual(['m1', 'm2'])
    const second = takeUncounted(first.marks, [message('m2', 2), message('m3', 2), message('m1', 1)])
    expect(ids(second.fresh)).toEqual(['m3'])
    expect(takeUncounted(second.marks, [message('m1', 1), message('m3', 2)]).fresh).toEqual([])
  })

  it('keeps conversations apart, whatever order they end in', () => {
    const child = message('c1', 5, { conversation: 'ses_child' })
    const { marks } = takeUncounted(NONE, [child])
    expect(ids(takeUncounted(marks, [message('m1', 3), child]).fresh)).toEqual(['m1'])
  })

  it('forgets old subagents without counting them again', () => {
    let marks = NONE
    const children = Array.from({ length: 100 }, (_, i) =>
      message(`c${i}`, i + 1, { conversation: `ses_${i}` }),
    )
    for (const child of children) marks = takeUncounted(marks, [child]).marks
    expect(Object.keys(marks.upTo).length).toBeLessThanOrEqual(40)
    expect(takeUncounted(marksFrom(JSON.parse(JSON.stringify(marks))), children).fresh).toEqual([])
    expect(ids(takeUncounted(marks, [message('new', 101, { conversation: 'ses_new' })]).fresh)).toEqual([
      'new',
    ])
  })

  it('goes on where earlier sessions of the agent were', () => {
    const first = takeUncounted(NONE, [message('m1', 1), message('c1', 2, { conversation: 'ses_b' })]).marks
    const second = takeUncounted(NONE, [message('m2', 5)]).marks
    const { fresh } = takeUncounted(joinMarks([first, second, NONE]), [message('m2', 5), message('m3', 6)])
    expect(ids(fresh)).toEqual(['m3'])
  })

  it('adds up by bead, model and trigger', () => {
    const once = addToRows([], 'b-1', [
      message('m1', 1),
      message('m2', 2),
      message('m3', 3, { trigger: 'mail' }),
    ])
    const rows = addToRows(once, 'b-2', [message('m4', 4), message('m5', 5, { model: 'q/n' })])
    expect(rows.map((row) => [row.bead, row.model, row.trigger, row.messages])).toEqual([
      ['b-1', 'p/m', 'work', 2],
      ['b-1', 'p/m', 'mail', 1],
      ['b-2', 'p/m', 'work', 1],
      ['b-2', 'q/n', 'work', 1],
    ])
    expect(rows[0]).toMatchObject({ input: 20, output: 10, cacheRead: 2, costUsd: 0.2 })
    expect(once[0]?.messages).toBe(2)
  })
})
