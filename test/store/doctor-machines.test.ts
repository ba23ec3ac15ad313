import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { mendAll, problemIds, problems } from './support/doctor.js'
import { dumpStore } from './support/dump.js'
import { type Machine, sharedRemote } from './support/shared-remote.js'
import { transact } from './support/temp-store.js'

function fill(machine: Machine, name: string): void {
  const ledger = machine.open()
  for (let i = 0; i < 12; i++) {
    const id = `${name}-${i}`
    transact(ledger, () => [{ o: 'new', id, k: 'bead', f: { title: `bead ${i}`, status: 'open' } }])
    if (i % 2 === 0) transact(ledger, () => [{ o: 'move', id, gen: 2, f: { status: 'hooked' } }])
  }
}

function segments(machine: Machine, clone: string): string[] {
  return readdirSync(machine.log)
    .filter((name) => name.startsWith(clone))
    .sort()
    .map((name) => join(machine.log, name))
}

function damage(path: string | undefined, text: string): void {
  const before = readFileSync(path ?? '', 'utf8')
  const after = before.replace(`"${text}"`, `"${text.replace('b', 'p')}"`)
  expect(after).not.toBe(before)
  writeFileSync(path ?? '', after)
}

const options = { segmentLimitBytes: 900 }

describe('the chain of another machine', () => {
  it('is restored from what was taken over of it', async () => {
    await using remote = await sharedRemote()
    const a = await remote.machine(options)
    const b = await remote.machine(options)
    fill(a, 'a')
    await a.sync()
    await b.sync()
    const before = dumpStore(b.dir, 'log only')
    const theirs = segments(b, a.clone)
    damage(theirs[0], 'bead 0')
    rmSync(theirs[1] ?? '')
    const ids = ['log-bad-line', 'log-file-missing', 'log-gap', 'log-lines-missing']
    expect(await problemIds(b.dir)).toEqual(expect.arrayContaining(ids))
    await mendAll(b.dir)
    expect(dumpStore(b.dir, 'log only')).toEqual(before)
    fill(a, 'more')
    await a.sync()
    expect((await b.sync()).refused).toEqual([])
    expect(dumpStore(b.dir, 'log only').entities).toEqual(dumpStore(a.dir, 'log only').entities)
  })

  it('is not "restored" to what was fetched and not taken over', async () => {
    await using remote = await sharedRemote()
    const a = await remote.machine(options)
    const b = await remote.machine(options)
    fill(a, 'a')
    await a.sync()
    await b.sync()
    fill(a, 'more')
    await a.sync()
    await b.sync({ dryRun: true })
    expect(await problems(b.dir)).toEqual([])
  })

  it('that was repaired at home reaches readers here that had passed the damage', async () => {
    await using remote = await sharedRemote()
    const a = await remote.machine(options)
    const b = await remote.machine(options)
    fill(a, 'a')
    await a.open().commitHistory()
    // Sent while damaged; the branch still holds the good line.
    damage(segments(a, a.clone)[0], 'bead 0')
    await a.sync()
    await b.sync()
    damage(segments(b, a.clone)[0], 'bead 1')
    rmSync(join(b.dir, 'cache'), { recursive: true })
    const reader = b.open()
    expect(reader.read().get('a-1')).toBeUndefined()
    await mendAll(a.dir)
    fill(a, 'more')
    await a.sync()
    await b.sync()
    await mendAll(b.dir)
    expect(reader.read().get('a-1')).toBeDefined()
    expect(dumpStore(b.dir, 'log only').entities).toEqual(dumpStore(a.dir, 'log only').entities)
  })

  it('of an id that both sides use is left to sync', async () => {
    await using remote = await sharedRemote()
    const a = await remote.machine(options)
    fill(a, 'a')
    await a.sync()
    expect(await problems(a.dir)).toEqual([])
    // Somebody with a copy of this directory sent more under our id.
    const { cpSync } = await import('node:fs')
    const copy = await remote.machine(options)
    cpSync(a.log, copy.log, { recursive: true })
    for (const name of ['clone', 'after-first', 'sync.json', 'history'])
      cpSync(join(a.dir, 'local', name), join(copy.dir, 'local', name))
    cpSync(join(a.dir, '.git'), join(copy.dir, '.git'), { recursive: true })
    const { place, ...identity } = JSON.parse(readFileSync(join(a.dir, 'local/clone'), 'utf8'))
    const { statSync } = await import('node:fs')
    const here = place.replace(/:.*/, `:${statSync(copy.dir).ino}`)
    writeFileSync(join(copy.dir, 'local/clone'), JSON.stringify({ ...identity, place: here }))
    fill(copy, 'copy')
    await copy.sync()
    await a.sync({ dryRun: true })
    expect(await problems(a.dir)).toEqual([])
    fill(a, 'later')
    await a.sync()
    await copy.sync()
    await a.sync()
    expect(await problems(a.dir)).toEqual([])
    expect(await problems(copy.dir)).toEqual([])
    expect(dumpStore(copy.dir, 'log only').entities).toEqual(dumpStore(a.dir, 'log only').entities)
  })
})

describe('compaction', () => {
  it('leaves alone what lost something, so that it can still be restored', async () => {
    await using remote = await sharedRemote()
    const a = await remote.machine(options)
    fill(a, 'a')
    await a.open().commitHistory()
    const before = dumpStore(a.dir, 'log only').entities
    const second = segments(a, a.clone)[1] ?? ''
    writeFileSync(second, readFileSync(second, 'utf8').replace(/^.*"a-\d+".*\n/m, ''))
    const report = await a.upkeep().compact()
    expect(report).toMatchObject({ upTo: 1, stopped: { segment: 2 } })
    expect(report.stopped?.why).toContain('gt doctor')
    await mendAll(a.dir)
    expect(dumpStore(a.dir, 'log only').entities).toEqual(before)
    expect((await a.upkeep().compact()).upTo).toBeGreaterThan(2)
    expect(await problems(a.dir)).toEqual([])
    expect(dumpStore(a.dir, 'log only').entities).toEqual(before)
  })
})

describe('a purge', () => {
  it('is not undone by a repair, and names what repairs put aside', async () => {
    await using remote = await sharedRemote()
    const a = await remote.machine(options)
    fill(a, 'a')
    transact(a.open(), () => [{ o: 'set', id: 'a-1', f: { notes: 'the secret word' } }])
    await a.open().commitHistory()
    damage(segments(a, a.clone)[0], 'bead 0')
    await mendAll(a.dir)
    const receipt = await a.upkeep().purge({ id: 'a-1', what: ['*'], by: 'human' })
    expect(receipt.untouched.map((path) => path.split('/').at(-1))).toEqual(['aside'])
    expect(await problems(a.dir)).toEqual([])
    const newest = segments(a, a.clone).at(-1) ?? ''
    fill(a, 'more')
    await a.open().commitHistory()
    rmSync(newest)
    await mendAll(a.dir)
    const texts = readdirSync(a.log).map((name) => readFileSync(join(a.log, name), 'utf8'))
    expect(texts.join('')).not.toContain('the secret word')
    expect(a.open().read().get('a-1')).toBeUndefined()
    expect(a.open().read().get('more-1')).toBeDefined()
  })
})
