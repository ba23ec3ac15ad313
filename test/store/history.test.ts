import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
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
import { writeBase, writeChain } from './support/chain-files.js'
import { type TempStore, tempStore, transact } from './support/temp-store.js'

function git(store: TempStore, ...args: string[]): string {
  return execFileSync('git', ['--git-dir', join(store.dir, '.git'), ...args], { encoding: 'utf8', input: '' })
}

function committed(store: TempStore): string {
  return git(store, 'show', `HEAD:log/${store.clone}-000001.jsonl`)
}

function segment(store: TempStore): string {
  return join(store.log, `${store.clone}-000001.jsonl`)
}

function say(store: TempStore, text: string): void {
  transact(store.open(), (view) => [
    ...(view.get('x') === undefined ? [{ o: 'new' as const, id: 'x', k: 'bead' as const, f: {} }] : []),
    { o: 'say', id: 'x', x: text },
  ])
}

describe('commitHistory', () => {
  it('commits own files and blobs, says what is in it, and does nothing when nothing changed', async () => {
    await using store = await tempStore()
    const ledger = store.open()
    expect(await ledger.commitHistory()).toBeUndefined()
    expect(ledger.uncommittedForMs()).toBeUndefined()
    say(store, 'one')
    say(store, 'x'.repeat(70_000))
    writeChain(store.log, 'zzzzz', 1, [['2026-11-20T08:00:00.000Z', { o: 'ev', type: 'theirs', data: {} }]])
    expect(ledger.uncommittedForMs()).toBeGreaterThanOrEqual(0)
    const commit = await ledger.commitHistory()
    expect(git(store, 'rev-parse', 'HEAD').trim()).toBe(commit)
    expect(git(store, 'log', '--format=%B%an <%ae>')).toBe(
      '2 records: 1 new bead\n\nhuman 2\ngt <gt@localhost>\n',
    )
    expect(committed(store)).toBe(readFileSync(segment(store), 'utf8'))
    const names = git(store, 'ls-tree', '-r', '--name-only', 'HEAD').trim().split('\n')
    expect(names).toHaveLength(2)
    expect(names[0]).toMatch(/^blob\/[0-9a-f]{64}$/)
    expect(ledger.uncommittedForMs()).toBeUndefined()
    expect(await ledger.commitHistory()).toBeUndefined()
    say(store, 'two')
    await ledger.commitHistory('own words')
    expect(git(store, 'log', '--format=%s')).toBe('own words\n2 records: 1 new bead\n')
    git(store, 'fsck', '--strict')
  })

  it('builds upon a commit that another process made at the same moment', async () => {
    await using store = await tempStore()
    say(store, 'one')
    const real = execFileSync('sh', ['-c', 'command -v git'], { encoding: 'utf8' }).trim()
    const bin = join(store.dir, 'bin')
    const once = join(store.dir, 'once')
    mkdirSync(bin)
    // What git says when the ref appears between its look and its lock.
    const says = `error: cannot lock ref 'refs/heads/beads/${store.clone}': reference already exists`
    const script = `#!/bin/sh\ncase "$*" in *fast-import*)\n  if [ ! -e '${once}' ]; then : > '${once}'; cat > /dev/null; echo "${says}" >&2; exit 1; fi\nesac\nexec '${real}' "$@"\n`
    writeFileSync(join(bin, 'git'), script, { mode: 0o700 })
    const ledger = store.open({ env: { PATH: `${bin}:${process.env.PATH}` } })
    expect(await ledger.commitHistory()).toMatch(/^[0-9a-f]{40}$/)
    expect(existsSync(once)).toBe(true)
    expect(committed(store)).toBe(readFileSync(segment(store), 'utf8'))
  })

  it('leaves out a last line that is not finished', async () => {
    await using store = await tempStore()
    say(store, 'one')
    const whole = readFileSync(segment(store), 'utf8')
    appendFileSync(segment(store), '{"t":"2026-1')
    const ledger = store.open()
    await ledger.commitHistory()
    expect(committed(store)).toBe(whole)
    expect(ledger.uncommittedForMs()).toBeUndefined()
  })

  it('tells how long the oldest uncommitted record waits', async () => {
    await using store = await tempStore()
    let now = Date.parse('2026-11-20T09:00:00.000Z')
    const ledger = store.open({ clock: { now: () => now } })
    transact(ledger, () => [{ o: 'new', id: 'x', k: 'bead', f: {} }])
    await ledger.commitHistory()
    now += 60_000
    transact(ledger, () => [{ o: 'say', id: 'x', x: 'one' }])
    now += 5000
    transact(ledger, () => [{ o: 'say', id: 'x', x: 'two' }])
    now += 1000
    expect(ledger.uncommittedForMs()).toBe(6000)
  })

  it('is not disturbed by configuration, hooks or variables of the user', async () => {
    await using store = await tempStore()
    const home = join(store.dir, '..', 'home')
    const hooks = join(home, 'hooks')
    for (const folder of [hooks, join(store.dir, '.git/hooks')]) {
      mkdirSync(folder, { recursive: true })
      writeFileSync(join(folder, 'reference-transaction'), `#!/bin/sh\ntouch ${home}/ran\nexit 1\n`)
      chmodSync(join(folder, 'reference-transaction'), 0o755)
    }
    writeFileSync(
      join(home, '.gitconfig'),
      `[core]\n hooksPath = ${hooks}\n[commit]\n gpgsign = true\n[user]\n name = Somebody\n[safe]\n bareRepository = explicit\n`,
    )
    say(store, 'one')
    const env = {
      PATH: process.env.PATH,
      HOME: home,
      GIT_DIR: '/nowhere',
      GIT_INDEX_FILE: '/nowhere',
      GIT_TRACE: '1',
    }
    await store.open({ env }).commitHistory()
    expect(git(store, 'log', '--format=%an')).toBe('gt\n')
    expect(existsSync(join(home, 'ran'))).toBe(false)
  })

  it('by many at once loses nothing and keeps one line of commits', async () => {
    await using store = await tempStore()
    const ledgers = Array.from({ length: 6 }, () => store.open())
    await Promise.all(
      ledgers.map(async (ledger, i) => {
        for (let n = 0; n < 3; n++) {
          transact(ledger, () => [{ o: 'new', id: `b-${i}-${n}`, k: 'bead', f: {} }])
          await ledger.commitHistory()
        }
      }),
    )
    expect(committed(store)).toBe(readFileSync(segment(store), 'utf8'))
    expect(git(store, 'rev-list', '--min-parents=2', 'HEAD')).toBe('')
  })

  it('goes on without the lock of a killed process', async () => {
    await using store = await tempStore()
    say(store, 'one')
    writeFileSync(join(store.dir, 'local/history.lock'), '')
    expect(await store.open().commitHistory()).toMatch(/^[0-9a-f]{40}$/)
    expect(git(store, 'rev-list', '--count', 'HEAD')).toBe('1\n')
  })

  for (const name of ['the branch', 'HEAD'] as const) {
    it(`goes on without the lock that a killed git left on ${name}`, async () => {
      await using store = await tempStore()
      say(store, 'one')
      await store.open().commitHistory()
      const path = name === 'HEAD' ? 'HEAD.lock' : `refs/heads/beads/${store.clone}.lock`
      const lock = join(store.dir, '.git', path)
      writeFileSync(lock, '')
      say(store, 'two')
      // It may belong to a git that runs.
      await expect(store.open().commitHistory()).rejects.toThrow(/File exists/)
      const long = new Date(Date.now() - 120_000)
      utimesSync(lock, long, long)
      expect(await store.open().commitHistory()).toMatch(/^[0-9a-f]{40}$/)
      expect(existsSync(lock)).toBe(false)
      expect(committed(store)).toBe(readFileSync(segment(store), 'utf8'))
    })
  }

  it('starts again when the branch moved under it', async () => {
    await using store = await tempStore()
    say(store, 'one')
    for (const parents of [[], ['-p', 'HEAD']]) {
      let isMoved = false
      const onStep = (step: string) => {
        if (step !== 'history:before-import' || isMoved) return
        isMoved = true
        const identity = ['-c', 'user.name=other', '-c', 'user.email=other@localhost']
        const tree = parents.length > 0 ? 'HEAD^{tree}' : git(store, 'mktree', '--missing').trim()
        const other = git(store, ...identity, 'commit-tree', tree, ...parents, '-m', 'other').trim()
        git(store, 'update-ref', `refs/heads/beads/${store.clone}`, other)
      }
      await store.open({ onStep }).commitHistory('ours')
      expect(isMoved).toBe(true)
      expect(committed(store)).toBe(readFileSync(segment(store), 'utf8'))
      say(store, 'two')
    }
    expect(git(store, 'log', '--format=%s')).toBe('ours\nother\nours\nother\n')
  })

  it('deletes from the tree what compaction deleted', async () => {
    await using store = await tempStore({ segmentLimitBytes: 100 })
    for (let i = 0; i < 3; i++) say(store, String(i))
    const ledger = store.open()
    await ledger.commitHistory()
    writeBase(store.log, store.clone, 1, [['2026-11-20T08:00:00.000Z', { o: 'base', upto: 1, n: 0 }]])
    rmSync(segment(store))
    expect(ledger.uncommittedForMs()).toBeDefined()
    await ledger.commitHistory()
    expect(git(store, 'ls-tree', '-r', '--name-only', 'HEAD')).not.toContain('-000001.jsonl')
    expect(ledger.uncommittedForMs()).toBeUndefined()
  })
})

describe('what a commit refuses', () => {
  const damages: Record<string, (path: string) => void> = {
    'a file that is gone without a base': (path) => rmSync(path),
    'a file that became shorter': (path) => writeFileSync(path, readFileSync(path).subarray(0, -20)),
    'a file that was changed inside and is as long as it was': (path) =>
      writeFileSync(path, readFileSync(path, 'utf8').replace('one', 'eno')),
    'a file that was changed inside and grew': (path) =>
      writeFileSync(path, `${readFileSync(path, 'utf8').replace('one', 'eno')}${'x'.repeat(99)}\n`),
  }
  for (const [name, damage] of Object.entries(damages)) {
    it(`is ${name}: the good version stays, and is missed`, async () => {
      await using store = await tempStore()
      say(store, 'one')
      const ledger = store.open()
      await ledger.commitHistory()
      expect(ledger.lostFiles()).toEqual([])
      const good = committed(store)
      damage(segment(store))
      expect(await ledger.commitHistory()).toBeUndefined()
      expect(committed(store)).toBe(good)
      expect(ledger.lostFiles()).toEqual([`${store.clone}-000001.jsonl`])
    })
  }
})

describe('a damaged repository', () => {
  const damages: Record<string, (repository: string) => void> = {
    'that is gone': (repository) => rmSync(repository, { recursive: true }),
    'without objects': (repository) => rmSync(join(repository, 'objects'), { recursive: true }),
    'with an empty HEAD': (repository) => writeFileSync(join(repository, 'HEAD'), ''),
    'with emptied objects': (repository) => {
      for (const name of readdirSync(join(repository, 'objects'), { recursive: true, encoding: 'utf8' })) {
        const path = join(repository, 'objects', name)
        if (!/[0-9a-f]{38}$|\.(pack|idx)$/.test(name)) continue
        chmodSync(path, 0o600)
        writeFileSync(path, '')
      }
    },
    'with a ref of garbage': (repository) => {
      const folder = join(repository, 'refs/heads/beads')
      for (const name of readdirSync(folder)) writeFileSync(join(folder, name), 'garbage\n')
    },
  }
  for (const [name, damage] of Object.entries(damages)) {
    it(`${name} is made again from the log`, async () => {
      await using store = await tempStore()
      say(store, 'one')
      await store.open().commitHistory()
      damage(join(store.dir, '.git'))
      say(store, 'two')
      expect(await store.open().commitHistory()).toMatch(/^[0-9a-f]{40}$/)
      expect(committed(store)).toBe(readFileSync(segment(store), 'utf8'))
      git(store, 'fsck', '--strict')
    })
  }

  it('is not assumed when git cannot be run', async () => {
    await using store = await tempStore()
    say(store, 'one')
    const error: unknown = await store
      .open({ env: { PATH: '/nowhere' } })
      .commitHistory()
      .catch((e: unknown) => e)
    expect(error).toMatchObject({ code: 'git-missing' })
    expect(existsSync(join(store.dir, 'local/damaged.git'))).toBe(false)
  })
})
