import type { BdIssue } from '../../src/domain/bd/shape.js'
import type { Json } from '../../src/domain/record.js'
import type { Seeded } from '../store/support/seeded.js'

const TEXTS = [
  'plain words',
  '',
  'Grüße, 你好, 🎉, \u202e right to left',
  'two\nlines\twith "quotes" and \\ backslashes',
  '\u0000 control \u001b[31m',
  'x'.repeat(70_000),
  '__proto__',
  '{"$blob":"no"}',
]
const TYPES = ['task', 'bug', 'feature', 'epic', 'chore', 'message', 'convoy', 'molecule', '']
const STATUSES = [
  'open',
  'in_progress',
  'blocked',
  'closed',
  'deferred',
  'hooked',
  'pinned',
  'tombstone',
  'awaiting_qa',
]
const DEP_TYPES = ['blocks', 'parent-child', 'related', 'discovered-from', 'tracks', 'waits-for', 'my-own']

/** Issues as bd writes them, as older versions did, and as a hand might. Dependencies point backwards, so there is no circle. */
export function randomIssues(random: Seeded, count: number): BdIssue[] {
  const ids: string[] = []
  return Array.from({ length: count }, (_, i) => {
    const id = random.pick([
      `bd-${random.text(4)}${i}`,
      `bd-${random.text(4)}${i}.${1 + random.below(9)}`,
      `hq-cv-${random.text(5)}${i}`,
    ])
    const issue = randomIssue(random, id, ids)
    ids.push(id)
    return issue
  })
}

function randomIssue(random: Seeded, id: string, others: readonly string[]): BdIssue {
  const issue: BdIssue = {
    id,
    title: text(random),
    ...(random.chance(0.9) ? { priority: random.below(5) } : {}),
  }
  const maybe = (field: string, value: () => Json, chance = 0.4) => {
    if (random.chance(chance))
      Object.defineProperty(issue, field, {
        value: value(),
        enumerable: true,
        configurable: true,
        writable: true,
      })
  }
  maybe('_type', () => 'issue')
  maybe('status', () => random.pick(STATUSES), 0.95)
  maybe('issue_type', () => random.pick(TYPES), 0.9)
  maybe('created_at', () => time(random), 0.95)
  maybe('updated_at', () => time(random), 0.95)
  maybe('closed_at', () => time(random), 0.3)
  maybe('created_by', () => random.pick<Json>(['steve', 'gastown/crew/max', '', null]))
  maybe('assignee', () => random.pick<Json>(['steve', 'gastown/polecats/nux', '', null]))
  maybe('sender', () => random.pick<Json>(['mayor/', 'overseer', 7]))
  for (const field of [
    'description',
    'design',
    'acceptance_criteria',
    'notes',
    'close_reason',
    'external_ref',
    'spec_id',
    'owner',
  ]) {
    maybe(field, () => (random.chance(0.9) ? text(random) : wild(random)), 0.3)
  }
  maybe('estimated_minutes', () => random.below(600))
  maybe('defer_until', () => time(random), 0.2)
  maybe('ephemeral', () => random.chance(0.5), 0.2)
  maybe('labels', () => list(random, () => random.pick(['b', 'a', 'gt:agent', 'prio:ü', 'a'])))
  maybe(
    'metadata',
    () =>
      random.pick<Json>([
        {},
        { files: ['a.ts', { deep: { er: [null, 1.5] } }], __none: null },
        null,
        'odd',
        nested(),
      ]),
    0.5,
  )
  maybe('dependencies', () => list(random, () => dependency(random, id, others)), 0.6)
  maybe('comments', () => list(random, () => comment(random, id)), 0.5)
  // What no version knows.
  maybe('future_field', () => wild(random))
  maybe('x.odd', () => wild(random), 0.1)
  maybe('rig', () => random.pick<Json>(['proj', 3]), 0.2)
  maybe('gt_status', () => random.pick<Json>(['failed', 'in_review', 'nonsense', 1]), 0.1)
  maybe('bd', () => wild(random), 0.1)
  maybe('__proto__', () => wild(random), 0.1)
  return issue
}

function nested(): Json {
  return JSON.parse('{"__proto__": {"a": 1}, "constructor": "c", "a.b": {"$blob": "x"}}') as Json
}

function text(random: Seeded): string {
  return random.pick(TEXTS)
}

function wild(random: Seeded): Json {
  return random.pick<Json>([
    null,
    0,
    -1.25,
    1e21,
    true,
    '',
    [],
    {},
    [1, [2, { a: null }]],
    { b: { c: 'ü' } },
    nested(),
  ])
}

function time(random: Seeded): Json {
  return random.pick<Json>([
    `2025-11-${10 + random.below(20)}T0${random.below(10)}:12:13.${100 + random.below(900)}Z`,
    `2025-11-20T18:52:33.${100_000 + random.below(900_000)}-08:00`,
    '2025-12-01T00:00:00Z',
    '2026-01-05T10:11:12.123456789Z',
    '2099-01-01T00:00:00Z',
    '2026-02-31T00:00:00Z',
    'yesterday',
    null,
  ])
}

function list(random: Seeded, one: () => Json): Json {
  if (random.chance(0.1)) return wild(random)
  return Array.from({ length: random.below(4) }, one)
}

function dependency(random: Seeded, id: string, others: readonly string[]): Json {
  if (random.chance(0.05)) return wild(random)
  const target = others.length > 0 && random.chance(0.9) ? random.pick(others) : 'external:other:bd-1'
  return {
    ...(random.chance(0.9) ? { issue_id: id } : {}),
    depends_on_id: target,
    type: random.pick(DEP_TYPES),
    ...(random.chance(0.8) ? { created_at: time(random), created_by: 'steve', metadata: '{}' } : {}),
    ...(random.chance(0.1) ? { unknown: wild(random) } : {}),
  }
}

function comment(random: Seeded, id: string): Json {
  if (random.chance(0.05)) return wild(random)
  return {
    id: random.pick<Json>([
      random.below(50),
      `c-${random.text(6)}`,
      '2025-11-20T09:36:20.238Z-0000-k7f3q-fh5b2x.0001',
    ]),
    issue_id: id,
    author: random.pick(['steve', 'ü', '']),
    text: text(random),
    created_at: time(random),
    ...(random.chance(0.1) ? { edited: wild(random) } : {}),
  }
}
