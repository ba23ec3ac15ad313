import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { examine, mend, mendAll, problemIds, problems } from './support/doctor.js'
import { dumpStore } from './support/dump.js'
import { type TempStore, tempStore, transact } from './support/temp-store.js'
import { bundleWorker } from './support/workers.js'

async function small(): Promise<TempStore> {
  const store = await tempStore()
  const ledger = store.open()
  for (let i = 0; i < 8; i++)
    transact(ledger, () => [{ o: 'new', id: `b-${i}`, k: 'bead', f: { title: `bead ${i}`, status: 'open' } }])
  transact(ledger, () => [{ o: 'say', id: 'b-1', x: 'long '.repeat(20_000) }])
  await ledger.commitHistory()
  ledger.compactCache(true)
  return store
}

function state(store: TempStore) {
  return dumpStore(store.dir, 'log only')
}

const old = new Date(Date.now() - 2 * 3_600_000)

function leave(path: string, content = ''): void {
  writeFileSync(path, content)
  utimesSync(path, old, old)
}

describe('the cache', () => {
  const damages: Record<string, (path: string) => void> = {
    gone: (path) => rmSync(path),
    'cut off': (path) => writeFileSync(path, readFileSync(path).subarray(0, 700)),
    emptied: (path) => writeFileSync(path, ''),
    'of random bytes': (path) =>
      writeFileSync(path, Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * 7919) % 251))),
    'flipped in the middle': (path) => {
      const bytes = readFileSync(path)
      const at = bytes.indexOf('bead 3')
      bytes[at] = 0x70
      writeFileSync(path, bytes)
    },
  }
  for (const [name, damage] of Object.entries(damages)) {
    it(`${name} changes no answer, and is no problem`, async () => {
      await using store = await small()
      const before = state(store)
      damage(join(store.dir, 'cache/snap'))
      expect(dumpStore(store.dir, 'with snapshot')).toEqual(before)
      expect(await problems(store.dir)).toEqual([])
    })
  }

  it('of another time is found by comparing, and set aside', async () => {
    await using store = await small()
    const ledger = store.open()
    // As a bug of the snapshot would: what it says is well-formed, and is not what the log says.
    const other = await tempStore()
    transact(other.open(), () => [{ o: 'new', id: 'b-1', k: 'bead', f: { title: 'another' } }])
    const { LogState } = await import('../../src/store/log-state.js')
    const { writeSnapshot } = await import('../../src/store/snapshot-writer.js')
    const { storePaths } = await import('../../src/store/layout.js')
    const log = new LogState(storePaths(store.dir), Date.now)
    log.refresh()
    const title = log.table.find('b-1')?.reg.title
    if (title !== undefined) title[1] = 'invented'
    writeSnapshot(join(store.dir, 'cache/snap'), log, {
      temporary: join(store.dir, 'cache/t'),
      unique: 'abcdefgh',
      minResting: 1000,
      onStep: () => {},
    })
    expect(store.open().read().get('b-1')?.fields.title).toBe('invented')
    expect(await problemIds(store.dir)).toEqual(['cache-differs'])
    const [done] = await mendAll(store.dir)
    expect(existsSync(join(store.dir, done?.undo ?? '-'))).toBe(true)
    expect(store.open().read().get('b-1')?.fields.title).toBe('bead 1')
    expect(ledger.read().get('b-1')?.fields.title).toBe('bead 1')
    await other[Symbol.asyncDispose]()
  })
})

describe('who writes here', () => {
  const clone = (store: TempStore) => join(store.dir, 'local/clone')
  const twin = (store: TempStore) => join(store.dir, 'local/after-first')
  const damages: Record<string, (store: TempStore) => void> = {
    'is gone': (store) => rmSync(clone(store)),
    'is garbage': (store) => writeFileSync(clone(store), 'garbage'),
    'is empty, and so is its twin': (store) => {
      writeFileSync(clone(store), '')
      writeFileSync(twin(store), '')
    },
    'is gone with all of local/': (store) => rmSync(join(store.dir, 'local'), { recursive: true }),
  }
  for (const [name, damage] of Object.entries(damages)) {
    it(`${name}: the same id is found again`, async () => {
      await using store = await small()
      damage(store)
      expect(await problemIds(store.dir)).not.toEqual([])
      await mendAll(store.dir)
      expect(store.open().clone).toBe(store.clone)
      transact(store.open(), () => [{ o: 'new', id: 'after', k: 'bead', f: {} }])
      expect(readdirSync(store.log)).toEqual([`${store.clone}-000001.jsonl`])
      await store.open().commitHistory()
      expect(await problems(store.dir)).toEqual([])
    })
  }

  it('and that the directory was copied is said', async () => {
    await using store = await small()
    const path = clone(store)
    writeFileSync(path, readFileSync(path, 'utf8').replace(/"place":"[^"]*"/, '"place":"1:1"'))
    const found = await examine(store.dir)
    expect(found.find(({ id }) => id === 'store-moved')?.severity).toBe('note')
    expect(await problems(store.dir)).toEqual([])
  })
})

describe('folders of the store', () => {
  for (const name of ['log', 'blob', 'cache', '.git', 'local']) {
    it(`${name}: gone, comes back with what history holds`, async () => {
      await using store = await small()
      const before = state(store)
      rmSync(join(store.dir, name), { recursive: true })
      expect(await problemIds(store.dir)).not.toEqual([])
      await mendAll(store.dir)
      expect(state(store)).toEqual(before)
      expect(store.open().read().comments('b-1')[0]?.text).toMatch(/^long long/)
    })
  }

  it('that cannot be read are said, not taken for empty', async ({ skip }) => {
    skip(process.getuid?.() !== 0, 'needs a second user')
    await using store = await small()
    await using script = await bundleWorker('repair-worker')
    execFileSync('chown', ['-R', '65534', join(store.dir, '..')])
    chmodSync(join(script.path, '..'), 0o755)
    const first = join(store.log, `${store.clone}-000001.jsonl`)
    chmodSync(first, 0)
    const order = JSON.stringify({ dir: store.dir, step: '', occurrence: 0 })
    // As somebody for whom permissions count: mends what is theirs.
    const run = () => spawnSync(process.execPath, [script.path, order], { uid: 65534, encoding: 'utf8' })
    const mended = run()
    expect({ status: mended.status, stderr: mended.stderr }).toEqual({ status: 0, stderr: '' })
    expect(Object.keys(state(store).entities)).toHaveLength(8)
    chmodSync(store.log, 0)
    const unreadable = run()
    expect({ status: unreadable.status, stderr: unreadable.stderr }).toEqual({ status: 0, stderr: '' })
    chmodSync(store.log, 0o700)
  })
})

describe('a disk that is mounted read-only', () => {
  it('is examined, and every repair says that it could not be made', async ({ skip }) => {
    await using store = await small()
    const path = join(store.log, `${store.clone}-000001.jsonl`)
    writeFileSync(path, readFileSync(path, 'utf8').replace('"bead 1"', '"bread 1"'))
    const bind = spawnSync('mount', ['--bind', store.dir, store.dir])
    skip(bind.status !== 0, 'cannot mount here (not root)')
    try {
      execFileSync('mount', ['-o', 'remount,ro,bind', store.dir])
      const ids = await problemIds(store.dir)
      expect(ids).toContain('log-bad-line')
      await expect(mend(store.dir)).rejects.toMatchObject({ code: 'store-not-writable' })
      expect(() => transact(store.open(), () => [{ o: 'ev', type: 'e', data: {} }])).toThrow('cannot write')
      expect(store.open().read().get('b-2')).toBeDefined()
    } finally {
      execFileSync('umount', [store.dir])
    }
    await mendAll(store.dir)
    expect(store.open().read().get('b-1')).toBeDefined()
  })
})

describe('locks', () => {
  const locks = ['history.lock', 'compact.lock', 'repair.lock']
  const holder = (pid: number, startTime: string) =>
    JSON.stringify({
      pid,
      startTime,
      host: execFileSync('hostname', { encoding: 'utf8' }).trim(),
      nonce: 'n',
      at: '',
    })

  it('of dead processes, and of pids that others have by now, are found, and stop nobody', async () => {
    await using store = await small()
    leave(join(store.dir, 'local/history.lock'))
    writeFileSync(join(store.dir, 'local/compact.lock'), holder(process.pid, '1'))
    writeFileSync(join(store.dir, 'local/repair.lock'), holder(2 ** 22 + 1, '1'))
    const found = await problems(store.dir)
    expect(found.map(({ id }) => id)).toEqual(['stale-lock'])
    for (const name of locks) expect(found[0]?.what).toContain(name)
    transact(store.open(), () => [{ o: 'new', id: 'x', k: 'bead', f: {} }])
    expect(await store.open().commitHistory()).toBeDefined()
    await mendAll(store.dir)
    for (const name of locks) expect(existsSync(join(store.dir, 'local', name))).toBe(false)
  })

  it('of the living are left alone', async () => {
    await using store = await small()
    const { processStart } = await import('../../src/system/process-table.js')
    const path = join(store.dir, 'local/compact.lock')
    leave(path, holder(process.pid, processStart(process.pid) ?? ''))
    writeFileSync(join(store.dir, 'local/history.lock'), '')
    expect(await problems(store.dir)).toEqual([])
    expect(existsSync(path)).toBe(true)
  })
})

describe('what killed processes left', () => {
  it('goes aside when nobody can be at work on it any more', async () => {
    await using store = await small()
    const names = ['log/.repair-abc.tmp', 'blob/.tmp-abc', 'cache/snap.abc.tmp', 'local/incoming-abc.tmp']
    for (const name of names) leave(join(store.dir, name), 'half')
    leave(join(store.dir, `cache/config.json.${process.pid}`), 'half')
    writeFileSync(join(store.dir, 'cache/snap.young.tmp'), 'half')
    const found = await problems(store.dir)
    expect(found.map(({ what }) => what)).toEqual(['4 temporary files of killed processes'])
    const [done] = await mendAll(store.dir)
    expect(
      readdirSync(join(store.dir, done?.undo ?? ''), { recursive: true, encoding: 'utf8' }).sort(),
    ).toEqual(expect.arrayContaining(names))
    expect(existsSync(join(store.dir, 'cache/snap.young.tmp'))).toBe(true)
  })

  it('as thousands of loose objects is packed', async () => {
    await using store = await small()
    const git = ['--git-dir', join(store.dir, '.git')]
    const input = Array.from(
      { length: 800 },
      (_, i) =>
        `commit refs/archive/x\ncommitter gt <gt@localhost> ${i} +0000\ndata 0\nM 100644 inline f\ndata 4\n${1000 + i}\n`,
    ).join('')
    execFileSync('git', [...git, '-c', 'fastimport.unpackLimit=100000', 'fast-import', '--quiet'], { input })
    expect(await problemIds(store.dir)).toEqual(['history-loose'])
    await mendAll(store.dir)
    expect(store.open().read().count({ kind: 'bead' })).toBe(8)
  })

  it('as a damaged repository is made again, the old one kept', async () => {
    await using store = await small()
    const objects = join(store.dir, '.git/objects')
    for (const name of readdirSync(objects, { recursive: true, encoding: 'utf8' })) {
      if (!/[0-9a-f]{38}$|\.pack$/.test(name)) continue
      chmodSync(join(objects, name), 0o600)
      writeFileSync(join(objects, name), 'noise')
    }
    expect(await problemIds(store.dir)).toEqual(['history-damaged'])
    const done = await mendAll(store.dir)
    expect(existsSync(join(store.dir, done[0]?.undo ?? '', 'HEAD'))).toBe(true)
    expect(
      execFileSync('git', ['--git-dir', join(store.dir, '.git'), 'log', '--format=%s'], { encoding: 'utf8' }),
    ).toBe('made again from the log\n')
  })
})

describe('a deep examination', () => {
  it('lets 8 real writers append, and reads everything', async () => {
    await using store = await small()
    const found = await examine(store.dir, { deep: true })
    expect(found.find(({ id }) => id === 'appends')?.what).toMatch(
      /^appends: \d{4,} lines of 8 processes at once, every one whole$/,
    )
    expect(found.filter(({ severity }) => severity !== 'ok')).toEqual([])
    expect(readdirSync(join(store.dir, 'local')).filter((name) => name.startsWith('append-trial'))).toEqual(
      [],
    )
  })
})

describe('a long text', () => {
  it('that is missing or damaged comes back from history, or is said to be lost', async () => {
    await using store = await small()
    const [name = ''] = readdirSync(join(store.dir, 'blob'))
    const path = join(store.dir, 'blob', name)
    rmSync(path)
    expect(await problemIds(store.dir)).toEqual(['blob-missing'])
    await mendAll(store.dir)
    writeFileSync(path, 'short')
    expect(await problemIds(store.dir)).toEqual(['blob-damaged'])
    await mendAll(store.dir)
    transact(store.open(), () => [{ o: 'say', id: 'b-2', x: 'other '.repeat(20_000) }])
    const fresh = readdirSync(join(store.dir, 'blob')).find((one) => one !== name) ?? ''
    rmSync(join(store.dir, 'blob', fresh))
    const [lost] = await problems(store.dir)
    expect(lost).toMatchObject({ id: 'blob-missing' })
    expect(lost?.fix).toBeUndefined()
    expect(lost?.hint).toContain('gt sync')
    mkdirSync(join(store.dir, 'blob', fresh))
    expect(await problemIds(store.dir)).toEqual(['blob-damaged'])
  })
})
