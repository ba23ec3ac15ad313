import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { importBeads } from '../../src/app/import-beads.js'
import type { BdIssue } from '../../src/domain/bd/shape.js'
import type { PurgeTarget } from '../../src/domain/record.js'
import { openUpkeep } from '../../src/store/open-upkeep.js'
import { type TempStore, tempStore, transact } from '../store/support/temp-store.js'
import { storeTown } from './store-town.js'

const SECRET = 'hunter2-hunter2'
const AT = '2025-11-21T10:00:00Z'

const issue = (more: BdIssue = {}): string =>
  JSON.stringify({
    id: 'aa-1',
    title: 'one',
    description: SECRET,
    status: 'open',
    issue_type: 'task',
    created_at: AT,
    updated_at: AT,
    comments: [{ id: 1, issue_id: 'aa-1', author: 'mona', text: `so: ${SECRET}`, created_at: AT }],
    ...more,
  })

const logText = ({ log }: TempStore) =>
  readdirSync(log)
    .map((name) => readFileSync(join(log, name), 'utf8'))
    .join('')

async function purge(store: TempStore): Promise<void> {
  const comment = store.open().read().comments('aa-1')[0]
  const what: PurgeTarget[] = ['f:description', `c:${comment?.id ?? ''}`]
  await openUpkeep(store.dir, { sync: 'os' }).purge({ id: 'aa-1', what, by: 'human' })
}

describe('an import after a purge', () => {
  it('of the same file, or of an older one, brings nothing back and writes nothing', async () => {
    await using store = await tempStore()
    importBeads(storeTown(store.open()), issue(), {})
    await purge(store)
    const before = logText(store)
    expect(before).not.toContain(SECRET)
    for (const again of [issue(), issue(), issue({ title: 'two', updated_at: '2025-11-22T10:00:00Z' })]) {
      const receipt = importBeads(storeTown(store.open()), again, {})
      expect(receipt).toMatchObject({
        created: [],
        updated: [],
        kept: [{ id: 'aa-1', why: expect.stringMatching(/purged/) as string }],
      })
    }
    expect(logText(store)).toBe(before)
  })

  it('that deletes it there deletes it here, without the text', async () => {
    await using store = await tempStore()
    importBeads(storeTown(store.open()), issue(), {})
    await purge(store)
    importBeads(storeTown(store.open()), issue({ status: 'tombstone', deleted_at: AT }), {})
    expect(logText(store)).not.toContain(SECRET)
  })

  it('takes what was changed there after the purge', async () => {
    await using store = await tempStore()
    importBeads(storeTown(store.open()), issue(), {})
    await purge(store)
    const later = new Date(Date.now() + 1).toISOString()
    const town = storeTown(store.open(), { clock: { now: () => Date.now() + 60_000, sleep: async () => {} } })
    const text = issue({ description: 'harmless', comments: [], updated_at: later })
    expect(importBeads(town, text, {})).toMatchObject({ updated: ['aa-1'] })
    expect(store.open().read().get('aa-1')?.fields.description).toBe('harmless')
  })

  it('is scrubbed by the store itself, whatever was planned', async () => {
    await using store = await tempStore()
    importBeads(storeTown(store.open()), issue(), {})
    await purge(store)
    const at = '2025-11-21T10:00:00.000Z'
    transact(store.open(), () => [
      { o: 'past', id: 'aa-1', k: 'bead', at, f: { description: SECRET, title: 'three' } },
    ])
    expect(logText(store)).not.toContain(SECRET)
    expect(store.open().read().get('aa-1')?.fields.title).toBe('three')
  })
})
