import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createStore } from '../../src/store/create-store.js'
import { refusedFileSystem } from '../../src/store/file-system-kind.js'
import { openLedger } from '../../src/store/open-ledger.js'
import { tempStore, transact } from './support/temp-store.js'

describe('createStore', () => {
  it('lays out the directory, private and with a bare repository', async () => {
    await using store = await tempStore()
    expect(statSync(store.dir).mode & 0o777).toBe(0o700)
    for (const name of ['log', 'blob', 'cache', 'local', 'README', '.git/HEAD']) {
      expect(existsSync(join(store.dir, name)), name).toBe(true)
    }
    const git = (...args: string[]) =>
      execFileSync('git', args, { cwd: store.dir, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
    expect(git('symbolic-ref', 'HEAD').trim()).toBe(`refs/heads/beads/${store.clone}`)
    expect(git('rev-parse', '--is-bare-repository').trim()).toBe('true')
    expect(() => git('reset', '--hard')).toThrow(/work tree/)
    expect(() => git('clean', '-fdx')).toThrow(/work tree/)
  })

  it('may be repeated, also after an interrupted run', async () => {
    await using store = await tempStore()
    transact(store.open(), () => [{ o: 'new', id: 'x', k: 'bead', f: {} }])
    rmSync(join(store.dir, '.git'), { recursive: true })
    rmSync(join(store.dir, 'blob'), { recursive: true })
    expect(await createStore(store.dir)).toEqual({ clone: store.clone, isNew: false })
    expect(existsSync(join(store.dir, '.git/HEAD'))).toBe(true)
    expect(existsSync(join(store.dir, 'blob'))).toBe(true)
    expect(store.open().read().get('x')).toBeDefined()
  })

  it('refuses a store of a newer format', async () => {
    await using store = await tempStore()
    const path = join(store.dir, 'local/clone')
    writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), format: 2 }))
    await expect(createStore(store.dir)).rejects.toMatchObject({ code: 'store-format' })
    expect(() => transact(store.open(), () => [{ o: 'ev', type: 'e', data: {} }])).toThrow(/newer gt/)
  })

  it('knows file systems where appends of two machines collide', () => {
    expect(refusedFileSystem(0x6969)).toBe('NFS')
    expect(refusedFileSystem(0xff534d42 | 0)).toBe('CIFS')
    expect(refusedFileSystem(0x01021997)).toBe('9p')
    expect(refusedFileSystem(0xef53)).toBeUndefined()
  })
})

describe('the clone id', () => {
  it('stays when the directory is moved', async () => {
    await using store = await tempStore()
    const moved = join(store.dir, '..', 'moved')
    renameSync(store.dir, moved)
    const ledger = openLedger(moved, { sync: 'os' })
    transact(ledger, () => [{ o: 'new', id: 'x', k: 'bead', f: {} }])
    expect(ledger.clone).toBe(store.clone)
  })

  it('is a new one in a copy, for all who open it; what was there stays readable and is committed', async () => {
    await using store = await tempStore()
    transact(store.open(), () => [{ o: 'new', id: 'x', k: 'bead', f: {} }])
    const copy = join(store.dir, '..', 'copy')
    cpSync(store.dir, copy, { recursive: true })
    const [one, two] = [openLedger(copy, { sync: 'os' }), openLedger(copy, { sync: 'os' })]
    transact(one, () => [{ o: 'say', id: 'x', x: 'one' }])
    transact(two, () => [{ o: 'say', id: 'x', x: 'two' }])
    expect(one.clone).not.toBe(store.clone)
    expect(two.clone).toBe(one.clone)
    expect(two.read().get('x')?.commentCount).toBe(2)
    await one.commitHistory()
    for (const clone of [store.clone, one.clone]) {
      const args = ['--git-dir', join(copy, '.git'), 'ls-tree', '-r', '--name-only', `beads/${clone}`]
      expect(execFileSync('git', args).toString()).toBe(`log/${clone}-000001.jsonl\n`)
    }
  })

  it('is recovered when its file is lost', async () => {
    await using store = await tempStore()
    transact(store.open(), () => [{ o: 'new', id: 'x', k: 'bead', f: {} }])
    rmSync(join(store.dir, 'local/clone'))
    const ledger = store.open()
    transact(ledger, () => [{ o: 'say', id: 'x', x: 'one' }])
    expect(ledger.clone).toBe(store.clone)
  })
})
