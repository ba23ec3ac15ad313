import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Op } from '../../src/domain/record.js'
import { EntityTable } from '../../src/store/entity-table.js'
import { applyRecord } from '../../src/store/fold.js'
import { baseName, segmentName } from '../../src/store/layout.js'
import { packState } from '../../src/store/packed-state.js'
import { scanLog } from '../../src/store/sync/scan-log.js'
import { recordLine } from './support/chain-files.js'
import { dumpStore } from './support/dump.js'
import { type Machine, type SharedRemote, sharedRemote } from './support/shared-remote.js'
import { transact } from './support/temp-store.js'

function make(machine: Machine, ...ids: string[]): void {
  transact(machine.open(), () =>
    ids.map((id): Op => ({ o: 'new', id, k: 'bead', f: { status: 'open', title: id } })),
  )
}

function move(machine: Machine, id: string, fields: Record<string, string>): void {
  transact(machine.open(), (view) => [{ o: 'move', id, gen: (view.get(id)?.generation ?? 0) + 1, f: fields }])
}

function beads(machine: Machine): string[] {
  return machine
    .open()
    .read()
    .list({ kind: 'bead' })
    .map(({ id }) => id)
    .sort()
}

/** The state without what differs by machine: generations within chains are the same everywhere, too. */
function expectSame(...machines: Machine[]): void {
  const [first, ...others] = machines.map((machine) => dumpStore(machine.dir, 'log only'))
  for (const other of others) expect(other).toEqual(first)
}

function logNames(machine: Machine): string[] {
  return readdirSync(machine.log).sort()
}

function ownSegment(machine: Machine): string {
  return join(machine.log, `${machine.clone}-000001.jsonl`)
}

async function refusal(
  promise: Promise<unknown>,
): Promise<{ code: string; exitCode: number; message: string }> {
  const error: unknown = await promise.catch((e: unknown) => e)
  expect(error).toBeInstanceOf(Error)
  return error as Error & { code: string; exitCode: number }
}

describe('gt sync of two machines', () => {
  it('brings the records of each to the other, says how many, and then has nothing to do', async () => {
    await using remote = await sharedRemote()
    const [a, b] = [await remote.machine(), await remote.machine()]
    make(a, 'a-1', 'a-2')
    make(b, 'b-1')
    expect(await a.sync()).toMatchObject({ clone: a.clone, sent: { records: 1 }, received: [], refused: [] })
    expect(await b.sync()).toMatchObject({
      sent: { records: 1 },
      received: [{ clone: a.clone, records: 1 }],
    })
    move(b, 'a-1', { status: 'hooked', assignee: 'proj/toast' })
    await b.sync()
    const taken = await a.sync()
    expect(taken).toMatchObject({
      sent: { records: 0, bytes: 0 },
      received: [{ clone: b.clone, records: 2 }],
    })
    expect(beads(a)).toEqual(['a-1', 'a-2', 'b-1'])
    expect(a.open().read().get('a-1')?.fields).toMatchObject({ assignee: 'proj/toast' })
    expectSame(a, b)
    for (const machine of [a, b]) {
      const nothing = await machine.sync()
      expect(nothing).toMatchObject({ sent: { records: 0, bytes: 0 }, received: [], refused: [] })
    }
    expect(remote.git('for-each-ref', '--format=%(refname)').trim().split('\n')).toEqual(
      [a, b].map(({ clone }) => `refs/heads/beads/${clone}`).sort(),
    )
  })

  it('takes blobs along, before the lines that name them', async () => {
    await using remote = await sharedRemote()
    const [a, b] = [await remote.machine(), await remote.machine()]
    make(a, 'x')
    const text = 'long '.repeat(20_000)
    transact(a.open(), () => [{ o: 'set', id: 'x', f: { description: text } }])
    await a.sync()
    await b.sync()
    expect(b.open().read().get('x')?.fields.description).toBe(text)
    // It is a's blob: b's own branch does not hold it.
    make(b, 'y')
    await b.sync()
    expect(b.git('ls-tree', '-r', '--name-only', `refs/heads/beads/${b.clone}`)).not.toContain('blob/')
  })

  it('keeps out of the branches of a project when told so', async () => {
    await using remote = await sharedRemote('hidden')
    const [a, b] = [await remote.machine(), await remote.machine()]
    make(a, 'a-1')
    await a.sync()
    await b.sync()
    expect(beads(b)).toEqual(['a-1'])
    expect(remote.git('branch', '--list')).toBe('')
    expect(remote.git('for-each-ref', '--format=%(refname)')).toBe(`refs/gt/beads/${a.clone}\n`)
  })

  it('replaces segments by their base, on the remote and on the other machine', async () => {
    await using remote = await sharedRemote()
    const small = { segmentLimitBytes: 400 }
    const [a, b] = [await remote.machine(small), await remote.machine()]
    for (let i = 0; i < 12; i++) make(a, `a-${i}`)
    await a.sync()
    await b.sync()
    expect(logNames(b).length).toBeGreaterThan(3)
    compact(a, 3)
    await a.sync()
    const receipt = await b.sync()
    expect(receipt).toMatchObject({ refused: [], received: [{ records: 0 }] })
    expect(logNames(b)).toEqual(logNames(a))
    expect(logNames(b)[0]).toBe(`${a.clone}-000003.base.jsonl`)
    expectSame(a, b)
    const late = await remote.machine()
    await late.sync()
    expectSame(a, late)
  })

  it('with --dry-run tells what would go, and changes nothing', async () => {
    await using remote = await sharedRemote()
    const [a, b] = [await remote.machine(), await remote.machine()]
    make(a, 'a-1')
    await a.sync()
    make(b, 'b-1')
    const before = logNames(b)
    expect(await b.sync({ dryRun: true })).toMatchObject({
      dryRun: true,
      sent: { records: 1 },
      received: [{ clone: a.clone, records: 1 }],
    })
    expect(logNames(b)).toEqual(before)
    expect(remote.git('for-each-ref')).not.toContain(b.clone)
    expect(beads(b)).toEqual(['b-1'])
    await b.sync()
    expect(beads(b)).toEqual(['a-1', 'b-1'])
  })

  it('pushes a squashed history of its own over the old one', async () => {
    await using remote = await sharedRemote()
    const [a, b] = [await remote.machine(), await remote.machine()]
    for (const id of ['a-1', 'a-2', 'a-3']) {
      make(a, id)
      await a.sync()
    }
    const ref = `refs/heads/beads/${a.clone}`
    const identity = ['-c', 'user.name=gt', '-c', 'user.email=gt@localhost']
    const squashed = a.git(...identity, 'commit-tree', `${ref}^{tree}`, '-m', 'squashed').trim()
    a.git('update-ref', 'refs/archive/old', ref)
    a.git('update-ref', ref, squashed)
    await a.sync()
    expect(remote.git('rev-list', '--count', ref).trim()).toBe('1')
    expect(await b.sync()).toMatchObject({ refused: [] })
    make(a, 'a-4')
    await a.sync()
    await b.sync()
    expectSame(a, b)
  })

  it('makes its repository again when it is lost, and goes on', async () => {
    await using remote = await sharedRemote()
    const [a, b] = [await remote.machine(), await remote.machine()]
    make(a, 'a-1')
    make(b, 'b-1')
    await a.sync()
    await b.sync()
    rmSync(join(a.dir, '.git'), { recursive: true })
    make(a, 'a-2')
    const receipt = await a.sync()
    expect(receipt.renamed).toBeUndefined()
    await b.sync()
    expectSame(a, b)
    rmSync(join(b.dir, '.git'), { recursive: true })
    rmSync(join(b.dir, 'local/sync.json'))
    expect(await b.sync()).toMatchObject({ received: [], refused: [] })
    expect((await b.sync()).renamed).toBeUndefined()
    expectSame(a, b)
  })

  it('goes out as a whole when the branch was deleted on the remote', async () => {
    await using remote = await sharedRemote()
    const [a, b] = [await remote.machine(), await remote.machine()]
    make(a, 'a-1')
    await a.sync()
    await b.sync()
    remote.git('update-ref', '-d', `refs/heads/beads/${a.clone}`)
    await b.sync()
    expect(beads(b)).toEqual(['a-1'])
    await a.sync()
    expect(remote.git('for-each-ref')).toContain(a.clone)
    expect(await b.sync()).toMatchObject({ received: [], refused: [] })
    expectSame(a, b)
  })
})

describe('what comes in is verified', () => {
  const garbage: Record<
    string,
    { code: string; change: (files: Map<string, string>, clone: string) => void }
  > = {
    'a file of another clone': {
      code: 'foreign-file',
      change: (files) => files.set('log/zzzzz-000001.jsonl', 'x\n'),
    },
    'a path out of the folder': {
      code: 'foreign-file',
      change: (files) => files.set('log/deep/aaaaa-000001.jsonl', 'x\n'),
    },
    'a newer format': {
      code: 'newer-format',
      change: (files, clone) =>
        append(files, `log/${clone}-000001.jsonl`, recordLine(clone, [NOW, { o: 'head', format: 2 }])),
    },
    'a chain that got shorter': {
      code: 'lacks-records',
      change: (files, clone) => {
        const text = files.get(`log/${clone}-000001.jsonl`) ?? ''
        files.set(`log/${clone}-000001.jsonl`, text.slice(0, text.indexOf('\n') + 1))
      },
    },
    'a chain that is empty': { code: 'lacks-records', change: (files) => files.clear() },
    'a record that was changed': {
      code: 'lacks-records',
      change: (files, clone) =>
        files.set(
          `log/${clone}-000001.jsonl`,
          (files.get(`log/${clone}-000001.jsonl`) ?? '').replace('"open"', '"shut"'),
        ),
    },
    'a missing segment': {
      code: 'incomplete',
      change: (files, clone) => files.set(`log/${clone}-000003.jsonl`, ''),
    },
    'a base without its end': {
      code: 'incomplete',
      change: (files, clone) => files.set(`log/${clone}-000001.base.jsonl`, ''),
    },
    'a blob that is not what its name says': {
      code: 'damaged-blob',
      change: (files, clone) => {
        files.set(`blob/${'ab'.repeat(32)}`, 'x')
        append(files, `log/${clone}-000001.jsonl`, recordLine(clone, [NOW, { o: 'ev', type: 't', data: {} }]))
      },
    },
  }
  for (const [name, { code, change }] of Object.entries(garbage)) {
    it(`${name} is refused with words, and other chains come in all the same`, async () => {
      await using remote = await sharedRemote()
      const [a, b, c] = [await remote.machine(), await remote.machine(), await remote.machine()]
      make(a, 'a-1')
      await a.sync()
      await c.sync()
      const before = dumpStore(c.dir, 'log only')
      rewrite(remote, a.clone, change)
      make(b, 'b-1')
      await b.sync()
      const receipt = await c.sync()
      expect(receipt.refused).toMatchObject([{ clone: a.clone, code }])
      expect(receipt.refused[0]?.why).not.toBe('')
      expect(beads(c)).toEqual(['a-1', 'b-1'])
      expect(dumpStore(c.dir, 'log only').entities['a-1']).toEqual(before.entities['a-1'])
      // Said every time, not once.
      expect((await c.sync()).refused).toHaveLength(1)
    })
  }

  it('a branch that is no chain at all hinders nothing', async () => {
    await using remote = await sharedRemote()
    const [a, b] = [await remote.machine(), await remote.machine()]
    make(a, 'a-1')
    await a.sync()
    commitTo(remote, 'refs/heads/beads/not-a-clone', new Map([['hello', 'world\n']]))
    commitTo(remote, 'refs/heads/beads/ggggg', new Map([['log', 'a file and no folder\n']]))
    commitTo(remote, 'refs/heads/main', new Map([['README', 'a project\n']]))
    const { refused } = await b.sync()
    expect(refused).toMatchObject([
      { clone: 'ggggg', code: 'foreign-file' },
      { clone: 'not-a-clone', code: 'not-a-chain' },
    ])
    expect(beads(b)).toEqual(['a-1'])
  })

  it('damaged lines are counted and said', async () => {
    await using remote = await sharedRemote()
    const [a, b] = [await remote.machine(), await remote.machine()]
    make(a, 'a-1')
    const rotten = recordLine(a.clone, [NOW, { o: 'ev', type: 't', data: {} }])
      .toString()
      .replace('"type"', '"typo"')
    appendFileSync(ownSegment(a), rotten)
    make(a, 'a-2')
    await a.sync()
    expect(await b.sync()).toMatchObject({ damagedLines: 1, refused: [] })
    expect(beads(b)).toEqual(['a-1', 'a-2'])
  })
})

const NOW = '2026-11-20T09:00:00.000Z'

function append(files: Map<string, string>, path: string, line: Buffer): void {
  files.set(path, (files.get(path) ?? '') + line.toString())
}

/** Changes what the remote has of a chain behind its owner's back. */
function rewrite(
  remote: SharedRemote,
  clone: string,
  change: (files: Map<string, string>, clone: string) => void,
): void {
  const ref = `refs/heads/beads/${clone}`
  const files = new Map<string, string>()
  for (const path of remote.git('ls-tree', '-r', '--name-only', ref).trim().split('\n'))
    files.set(path, remote.git('show', `${ref}:${path}`))
  change(files, clone)
  commitTo(remote, ref, files)
}

function commitTo(remote: SharedRemote, ref: string, files: ReadonlyMap<string, string>): void {
  const index = join(remote.dir, 'index.tmp')
  const work = join(remote.dir, 'work.tmp')
  const entries = [...files].map(([path, text]) => {
    writeFileSync(work, text)
    return `100644 ${remote.git('hash-object', '-w', work).trim()}\t${path}`
  })
  const tree = withIndex(remote, index, entries)
  const identity = ['-c', 'user.name=x', '-c', 'user.email=x@localhost']
  remote.git('update-ref', ref, remote.git(...identity, 'commit-tree', tree, '-m', 'changed').trim())
}

function withIndex(remote: SharedRemote, index: string, entries: readonly string[]): string {
  rmSync(index, { force: true })
  const env = { ...process.env, GIT_INDEX_FILE: index, GIT_DIR: remote.dir }
  execFileSync('git', ['update-index', '--index-info'], {
    env,
    input: entries.map((entry) => `${entry}\n`).join(''),
  })
  return execFileSync('git', ['write-tree'], { env, encoding: 'utf8' }).trim()
}

describe('when the remote cannot be had', () => {
  it('says what is wrong, with exit 6, and changes nothing', async () => {
    await using remote = await sharedRemote()
    const a = await remote.machine()
    make(a, 'a-1')
    const to = (url: string) => a.sync({ remote: { url, refs: 'branches' } })
    expect(await refusal(to(join(remote.dir, 'none')))).toMatchObject({
      code: 'remote-not-found',
      exitCode: 6,
    })
    expect(await refusal(to('http://localhost:1/x.git'))).toMatchObject({
      code: 'remote-unreachable',
      exitCode: 6,
    })
    expect(await refusal(to('https://me:secret@localhost/x.git'))).toMatchObject({
      code: 'secret-in-url',
      exitCode: 2,
    })
    expect(await refusal(to('--upload-pack=x'))).toMatchObject({ code: 'bad-remote', exitCode: 2 })
    expect(beads(a)).toEqual(['a-1'])
    expect(a.upkeep().syncState()?.lastError?.code).toBe('remote-not-found')
    await a.sync()
    expect(a.upkeep().syncState()).toMatchObject({ remote: remote.dir, lastOkAt: expect.any(String) })
    expect(a.upkeep().syncState()?.lastError).toBeUndefined()
    expect(a.upkeep().syncState()?.unsentForMs).toBeUndefined()
    make(a, 'a-2')
    expect(a.upkeep().syncState()?.unsentForMs).toBeGreaterThanOrEqual(0)
  })

  it('passes on why a hook there refused', async () => {
    await using remote = await sharedRemote()
    const a = await remote.machine()
    const hook = join(remote.dir, 'hooks/pre-receive')
    writeFileSync(hook, '#!/bin/sh\necho no beads on Sundays >&2\nexit 1\n')
    chmodSync(hook, 0o755)
    make(a, 'a-1')
    const failed = await refusal(a.sync())
    expect(failed).toMatchObject({ code: 'remote-refused', exitCode: 6 })
    expect(failed.message).toContain('no beads on Sundays')
    rmSync(hook)
    expect(await a.sync()).toMatchObject({ sent: { records: 1 } })
  })

  it('gives up at its deadline, and leaves no process behind', async () => {
    await using remote = await sharedRemote()
    const a = await remote.machine()
    make(a, 'a-1')
    const mark = join(remote.dir, 'asked')
    const env = { ...process.env, GIT_SSH_COMMAND: `sh -c 'echo $$ > ${mark}; exec sleep 1000' --` }
    const failed = await refusal(
      a.sync({ remote: { url: 'ssh://h/x', refs: 'branches' }, timeoutMs: 700, options: { env } }),
    )
    expect(failed).toMatchObject({ code: 'remote-timeout', exitCode: 7 })
    const pid = readFileSync(mark, 'utf8').trim()
    await expect.poll(() => existsSync(`/proc/${pid}`), { timeout: 10_000 }).toBe(false)
  })

  it('tells a second sync who is at it', async () => {
    await using remote = await sharedRemote()
    const a = await remote.machine()
    make(a, 'a-1')
    let inner: unknown
    const onStep = (step: string) => {
      if (step === 'sync:locked') inner = a.sync({ waitMs: 1 }).catch((e: unknown) => e)
    }
    await a.sync({ options: { onStep } })
    expect(await inner).toMatchObject({ code: 'sync-busy', exitCode: 5 })
  })
})

/** Folds the first segments of its own chain into a base, as compaction does. */
function compact(machine: Machine, upTo: number): void {
  const { clone, log } = machine
  const table = new EntityTable(undefined, Date.now)
  for (let number = 1; number <= upTo; number++) {
    scanLog(
      readFileSync(join(log, segmentName(clone, number))),
      (record) => void applyRecord(table, clone, record),
    )
  }
  const states = [...table.overlay.values()]
  const lines = states.map((state) => {
    const { ch: _, ...packed } = packState(state)
    return recordLine(clone, [NOW, { o: 'st', ...packed }], 'gt')
  })
  lines.push(recordLine(clone, [NOW, { o: 'base', upto: upTo, n: states.length }], 'gt'))
  writeFileSync(join(log, baseName(clone, upTo)), Buffer.concat(lines))
  for (let number = 1; number <= upTo; number++) rmSync(join(log, segmentName(clone, number)))
}
