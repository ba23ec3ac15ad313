import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** A small real repository with three failing tests, and the three beads that mend them. */
export interface DemoBead {
  id: string
  title: string
  description: string
  /** Module in src/ that is wrong. */
  module: string
  /** The mended text of it. */
  mended: string
  commitMessage: string
}

const FILES: Record<string, string> = {
  'package.json':
    '{ "name": "till", "version": "1.0.0", "type": "module", "scripts": { "test": "node --test" } }\n',
  'README.md': '# till\n\nA cash register in three modules. `npm test` runs the tests.\n',
  'src/total.js': `/** Sum of prices in cents. */
export function total(prices) {
  let sum = 0
  for (let i = 1; i < prices.length; i++) sum += prices[i]
  return sum
}
`,
  'src/slug.js': `/** "Crème brûlée!" -> "creme-brulee" */
export function slug(text) {
  return text.toLowerCase().replace(/ /g, '-')
}
`,
  'src/median.js': `/** Middle value; the mean of the two middle ones for an even count. */
export function median(values) {
  const sorted = values.sort()
  return sorted[Math.floor(sorted.length / 2)]
}
`,
  'test/total.test.js': `import assert from 'node:assert/strict'
import { test } from 'node:test'
import { total } from '../src/total.js'

test('counts every price', () => assert.equal(total([100, 250, 5]), 355))
test('an empty basket costs nothing', () => assert.equal(total([]), 0))
`,
  'test/slug.test.js': `import assert from 'node:assert/strict'
import { test } from 'node:test'
import { slug } from '../src/slug.js'

test('folds accents and drops signs', () => assert.equal(slug('Crème brûlée!'), 'creme-brulee'))
test('keeps no dash at the ends', () => assert.equal(slug('  two  words '), 'two-words'))
`,
  'test/median.test.js': `import assert from 'node:assert/strict'
import { test } from 'node:test'
import { median } from '../src/median.js'

test('sorts numbers as numbers', () => assert.equal(median([10, 9, 1]), 9))
test('takes the mean of two middles, and leaves its input alone', () => {
  const values = [4, 1, 3, 2]
  assert.equal(median(values), 2.5)
  assert.deepEqual(values, [4, 1, 3, 2])
})
`,
}

export const DEMO_BEADS: readonly DemoBead[] = [
  {
    id: 'till-1',
    title: 'total() forgets the first price',
    description: 'test/total.test.js fails. Mend src/total.js; the test says what is right.',
    module: 'total',
    mended: `/** Sum of prices in cents. */
export function total(prices) {
  return prices.reduce((sum, price) => sum + price, 0)
}
`,
    commitMessage: 'fix: count the first price too',
  },
  {
    id: 'till-2',
    title: 'slug() keeps accents and signs',
    description: 'test/slug.test.js fails. Mend src/slug.js; the test says what is right.',
    module: 'slug',
    mended: `/** "Crème brûlée!" -> "creme-brulee" */
export function slug(text) {
  const plain = text.normalize('NFD').replace(/\\p{M}/gu, '').toLowerCase()
  return plain.replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '')
}
`,
    commitMessage: 'fix: fold accents and drop signs in slugs',
  },
  {
    id: 'till-3',
    title: 'median() sorts as text and changes its input',
    description: 'test/median.test.js fails. Mend src/median.js; the test says what is right.',
    module: 'median',
    mended: `/** Middle value; the mean of the two middle ones for an even count. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
`,
    commitMessage: 'fix: sort numbers as numbers, on a copy',
  },
]

/** Tests of the modules that a commit changed: the others may still be red, that is what their beads are for. */
export const DEMO_GATE =
  'for f in $(git diff --name-only HEAD~1 -- src); do node --test "test/$(basename "$f" .js).test.js" || exit 1; done'

/** @param env - of git: identity, HOME */
export function makeDemoProject(dir: string, env: NodeJS.ProcessEnv): void {
  for (const [name, text] of Object.entries(FILES)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true })
    writeFileSync(join(dir, name), text)
  }
  const git = (...args: string[]) =>
    execFileSync('git', args, { cwd: dir, env, stdio: ['ignore', 'pipe', 'pipe'] })
  git('init', '--quiet', '--initial-branch=main')
  git('add', '-A')
  git('commit', '--quiet', '-m', 'a cash register whose tests fail')
}
