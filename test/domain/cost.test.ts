import { expect, it } from 'vitest'
import { type CostKey, costReport } from '../../src/domain/cost.js'
import type { UsageAccount, UsageRow } from '../../src/domain/usage.js'

const row = (fields: Partial<UsageRow>): UsageRow => ({
  bead: 'b-1',
  model: 'p/m',
  trigger: 'work',
  input: 100,
  output: 10,
  reasoning: 0,
  cacheRead: 0,
  cacheWrite: 0,
  costUsd: 1,
  messages: 1,
  ...fields,
})
const account = (fields: Partial<UsageAccount>): UsageAccount => ({
  id: 'u-s-1-2026-11-20',
  generation: 1,
  agent: 'proj/toast',
  role: 'polecat',
  rig: 'proj',
  session: 's-1',
  day: '2026-11-20',
  rows: [row({})],
  ...fields,
})
const ACCOUNTS = [
  account({ rows: [row({}), row({ trigger: 'mail', costUsd: 0.5 }), row({ bead: 'b-2', costUsd: 3 })] }),
  account({ day: '2026-11-21', rows: [row({ model: 'p/n', trigger: 'reminder', costUsd: 0.25 })] }),
  account({ agent: 'shop/mayor', role: 'mayor', rig: 'shop', rows: [row({ bead: '', costUsd: 2 })] }),
]
const isWorker = (role: string) => role === 'polecat'
const keys = (by: CostKey) =>
  costReport(ACCOUNTS, by, {}, isWorker).rows.map(({ key, costUsd }) => [key, costUsd])

it('adds up by each key, the dearest first and days in order', () => {
  expect(keys('agent')).toEqual([
    ['proj/toast', 4.75],
    ['shop/mayor', 2],
  ])
  expect(keys('bead')).toEqual([
    ['b-2', 3],
    ['', 2],
    ['b-1', 1.75],
  ])
  expect(keys('model')).toEqual([
    ['p/m', 6.5],
    ['p/n', 0.25],
  ])
  expect(keys('day')).toEqual([
    ['2026-11-20', 6.5],
    ['2026-11-21', 0.25],
  ])
  expect(keys('rig')).toEqual([
    ['proj', 4.75],
    ['shop', 2],
  ])
})

it('knows what coordination cost: other roles, and turns that mail or a reminder started', () => {
  const report = costReport(ACCOUNTS, 'agent', {}, isWorker)
  expect(report.total.coordination).toEqual({ costUsd: 2.75, tokens: 330 })
  expect(report.coordinationShare).toBeCloseTo(2.75 / 6.75)
  const free = [account({ rows: [row({ costUsd: 0 }), row({ costUsd: 0, trigger: 'mail' })] })]
  expect(costReport(free, 'agent', {}, isWorker).coordinationShare).toBe(0.5)
  expect(costReport([], 'agent', {}, isWorker).coordinationShare).toBe(0)
})

it('leaves out what is older, or spent on something else', () => {
  const since = costReport(ACCOUNTS, 'agent', { sinceDay: '2026-11-21' }, isWorker)
  expect(since.total).toMatchObject({ costUsd: 0.25, messages: 1 })
  const one = costReport(ACCOUNTS, 'agent', { beads: new Set(['b-2']) }, isWorker)
  expect(one.rows.map(({ key, costUsd }) => [key, costUsd])).toEqual([['proj/toast', 3]])
})
