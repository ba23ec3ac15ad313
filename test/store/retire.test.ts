import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Op } from '../../src/domain/record.js'
import { beads, cloneOf, copyOf, make } from './support/machines.js'
import { type Machine, type SharedRemote, sharedRemote } from './support/shared-remote.js'
import { transact } from './support/temp-store.js'

const SECRET = 'hunter2-hunter2'

function drop(machine: Machine, remote: SharedRemote, clone: string) {
  const branches = { url: remote.dir, refs: 'branches' as const }
  return async (adopted: Awaited<ReturnType<ReturnType<Machine['upkeep']>['adopt']>>) =>
    machine.upkeep().dropChain({ clone, adopted, remote: branches, timeoutMs: 60_000 })
}

/** Two machines that know each other's records. */
async function two(remote: SharedRemote): Promise<[a: Machine, b: Machine]> {
  const [a, b] = [await remote.machine(), await remote.machine()]
  make(a, 'a-1')
  make(b, 'keep-1', 'keep-2')
  await a.sync()
  await b.sync()
  await a.sync()
  return [a, b]
}

function chains(machine: Machine): string[] {
  return [...new Set(readdirSync(machine.log).map((name) => name.slice(0, 5)))]
}

function saysSecret(machine: Machine, folder = 'log'): boolean {
  return readdirSync(join(machine.dir, folder)).some((name) =>
    readFileSync(join(machine.dir, folder, name), 'utf8').includes(SECRET),
  )
}

function edit(machine: Machine, clone: string, from: string | RegExp, to: string): void {
  const path = join(machine.log, `${clone}-000001.jsonl`)
  writeFileSync(path, readFileSync(path, 'utf8').replace(from, to))
}

describe('the chain of a machine that is retired', () => {
  it('goes, here and on the remote, and its records stay', async () => {
    await using remote = await sharedRemote()
    const [a, b] = await two(remote)
    const adopted = await a.upkeep().adopt(b.clone)
    await a.sync()
    expect(await drop(a, remote, b.clone)(adopted)).toBe('dropped')
    expect(chains(a)).toEqual([a.clone])
    expect(beads(a)).toEqual(['a-1', 'keep-1', 'keep-2'])
    expect(remote.git('for-each-ref')).not.toContain(b.clone)
    expect(a.git('for-each-ref')).toContain(`refs/archive/retired/${b.clone}`)
  })

  it('stays when more of it came in after it was taken over, by whatever sync', async () => {
    await using remote = await sharedRemote()
    const [a, b] = await two(remote)
    const adopted = await a.upkeep().adopt(b.clone)
    make(b, 'late-1')
    await b.sync()
    await a.sync()
    expect(await drop(a, remote, b.clone)(adopted)).toBe('alive')
    expect(beads(a)).toContain('late-1')
    expect(remote.git('for-each-ref')).toContain(b.clone)
    // Taken over again, all of it is.
    const again = await a.upkeep().adopt(b.clone)
    await a.sync()
    expect(await drop(a, remote, b.clone)(again)).toBe('dropped')
    expect(beads(a)).toContain('late-1')
  })

  it('stays while what was taken over is not on the remote', async () => {
    await using remote = await sharedRemote()
    const [a, b] = await two(remote)
    const adopted = await a.upkeep().adopt(b.clone)
    await expect(drop(a, remote, b.clone)(adopted)).rejects.toMatchObject({ code: 'adopted-not-sent' })
    expect(remote.git('for-each-ref')).toContain(b.clone)
  })

  it('is not taken over from a copy that is damaged, lacks a line, or was changed by a hand', async () => {
    await using remote = await sharedRemote()
    const [a, b] = await two(remote)
    const path = join(a.log, `${b.clone}-000001.jsonl`)
    const whole = readFileSync(path)
    const adopt = () => a.upkeep().adopt(b.clone)
    edit(a, b.clone, 'keep-1', 'keep-X')
    await expect(adopt()).rejects.toMatchObject({ code: 'chain-damaged' })
    writeFileSync(path, whole)
    edit(a, b.clone, /.*keep-1.*\n/, '')
    await expect(adopt()).rejects.toMatchObject({
      code: 'chain-damaged',
      hint: expect.stringMatching(/gt sync/),
    })
    expect(readFileSync(join(a.log, `${a.clone}-000001.jsonl`), 'utf8')).not.toContain('keep-')
    // And the next exchange looks again, though nothing new is there.
    await a.sync()
    expect(readFileSync(path)).toEqual(whole)
    expect((await adopt()).records).toBe(1)
  })

  it('of which a segment is missing here is not taken over', async () => {
    await using remote = await sharedRemote()
    const [a, b] = [await remote.machine(), await remote.machine({ segmentLimitBytes: 300 })]
    for (let i = 0; i < 6; i++) make(b, `b-${i}`)
    await b.sync()
    await a.sync()
    renameSync(join(a.log, `${b.clone}-000002.jsonl`), join(a.dir, 'away'))
    await expect(a.upkeep().adopt(b.clone)).rejects.toMatchObject({ code: 'chain-damaged' })
  })

  it('brings nothing back that was purged, and leaves no copy of it', async () => {
    await using remote = await sharedRemote()
    const [a, b] = await two(remote)
    transact(b.open(), (): Op[] => [
      { o: 'set', id: 'keep-1', f: { notes: SECRET } },
      { o: 'new', id: 'all', k: 'bead', f: { status: 'open', title: SECRET } },
      { o: 'ev', type: 'told', data: { id: 'all', title: SECRET } },
      { o: 'set', id: 'keep-2', f: { description: `${SECRET} `.repeat(6000) } },
    ])
    await b.sync()
    await a.sync()
    for (const [id, what] of [
      ['keep-1', 'f:notes'],
      ['keep-2', 'f:description'],
      ['all', '*'],
    ] as const)
      await a.upkeep().purge({ id, what: [what], by: 'human' })
    const adopted = await a.upkeep().adopt(b.clone)
    await a.sync()
    expect(await drop(a, remote, b.clone)(adopted)).toBe('dropped')
    expect(saysSecret(a)).toBe(false)
    expect(a.git('for-each-ref')).not.toContain(b.clone)
    expect(await a.upkeep().due()).toContain('purge')
    await a.upkeep().finishPurges()
    expect(saysSecret(a, 'blob')).toBe(false)
    expect(a.git('log', '--all', '--text', '-S', SECRET, '--format=%H')).toBe('')
    expect(beads(a)).toEqual(['a-1', 'keep-1', 'keep-2'])
  })
})

describe('a purge where the directory wrote under another id before', () => {
  it('says that the old chain still holds it; once that is retired, nothing does', async () => {
    await using remote = await sharedRemote()
    const a = await remote.machine()
    transact(a.open(), (): Op[] => [{ o: 'new', id: 'x', k: 'bead', f: { status: 'open', notes: SECRET } }])
    make(a, 'other')
    await a.sync()
    await using moved = copyOf(a, remote, false)
    rmSync(a.dir, { recursive: true })
    const purge = () => moved.upkeep().purge({ id: 'x', what: ['f:notes'], by: 'human' })
    await expect(purge()).rejects.toMatchObject({
      code: 'purge-incomplete',
      details: { chains: [a.clone] },
      hint: expect.stringContaining(`gt store retire ${a.clone}`),
    })
    await moved.sync()
    const adopted = await moved.upkeep().adopt(a.clone)
    await moved.sync()
    expect(await drop(moved, remote, a.clone)(adopted)).toBe('dropped')
    expect(await moved.upkeep().finishPurges()).toBe(1)
    await moved.sync()
    expect(saysSecret(moved)).toBe(false)
    expect(chains(moved)).toEqual([cloneOf(moved)])
    expect(remote.git('log', '--all', '--text', '-S', SECRET, '--format=%H')).toBe('')
    expect(moved.git('log', '--all', '--text', '-S', SECRET, '--format=%H')).toBe('')
    expect(beads(moved)).toEqual(['other', 'x'])
    expect(await moved.upkeep().due()).not.toContain('purge')
  })

  it('is complete where the old chain holds nothing of it', async () => {
    await using remote = await sharedRemote()
    const a = await remote.machine()
    make(a, 'x')
    await a.sync()
    await using moved = copyOf(a, remote, false)
    transact(moved.open(), (): Op[] => [{ o: 'set', id: 'x', f: { notes: SECRET } }])
    await moved.upkeep().purge({ id: 'x', what: ['f:notes'], by: 'human' })
    expect(saysSecret(moved)).toBe(false)
  })
})
