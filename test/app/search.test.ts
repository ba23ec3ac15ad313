import { describe, expect, it } from 'vitest'
import { importBeads } from '../../src/app/import-beads.js'
import { queryBeads } from '../../src/app/query-beads.js'
import { searchBeads } from '../../src/app/search-beads.js'
import { Seeded } from '../store/support/seeded.js'
import { tempStore } from '../store/support/temp-store.js'
import { randomIssues } from './random-issues.js'
import { storeTown } from './store-town.js'

const QUERIES = [
  'plain words',
  'two',
  'GRÜSSE',
  '你好',
  '"quotes"',
  '\\',
  'xxxxxxxxxx',
  'title',
  'ü',
  'bd-',
  'steve',
  'a"b',
]

describe('looking for words', () => {
  it('finds the same in the snapshot, which leaves most rows out unread, as in the log', async () => {
    await using store = await tempStore()
    const ledger = store.open()
    const town = storeTown(ledger)
    importBeads(
      town,
      randomIssues(new Seeded(3), 200)
        .map((one) => JSON.stringify(one))
        .join('\n'),
      {},
    )
    const ask = () => {
      const view = town.ledger.read()
      return QUERIES.map((query) => ({
        found: searchBeads(view, query, 1_000).found.map(({ bead, score, excerpt }) => [
          bead.id,
          score,
          excerpt,
        ]),
        listed: queryBeads(view, 0, { text: query, sort: 'id' }).map(({ id }) => id),
      }))
    }
    const fromLog = ask()
    ledger.compactCache(true)
    ledger.close()
    expect(ask()).toEqual(fromLog)
    expect(fromLog[0]?.found.length).toBeGreaterThan(10)
    expect(fromLog[6]?.found.length, 'texts that lie in blobs').toBeGreaterThan(10)
    expect(fromLog.map(({ found }) => found.length)).not.toContain(200)
  })
})
