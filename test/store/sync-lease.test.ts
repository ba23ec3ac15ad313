import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { LeaseAnswer } from '../../src/ports/upkeep.js'
import { processStart } from '../../src/system/process-table.js'
import { changeByte } from './support/chain-files.js'
import { claim, copyOf, make } from './support/machines.js'
import { type Machine, type SharedRemote, sharedRemote } from './support/shared-remote.js'

const HERE = `${process.pid}:${processStart(process.pid)}`
/** Another process of this machine that lives. */
const BESIDE = `${process.ppid}:${processStart(process.ppid)}`
const GONE = '999999999:1'

function lease(machine: Machine, remote: SharedRemote, holder = HERE, generation = 2): Promise<LeaseAnswer> {
  return machine.upkeep().lease({
    remote: { url: remote.dir, refs: 'branches' },
    key: 'x',
    generation,
    by: `by-${machine.clone}`,
    holder,
    timeoutMs: 60_000,
  })
}

function leases(remote: SharedRemote): string {
  return remote.git('for-each-ref', '--format=%(refname)', 'refs/gt/lease').trim()
}

describe('a lease', () => {
  it('goes to exactly one of eight clones that ask at once, and the others hear who has it', async () => {
    await using remote = await sharedRemote()
    const machines = await Promise.all(Array.from({ length: 8 }, () => remote.machine()))
    for (let generation = 2; generation < 5; generation++) {
      const answers = await Promise.all(machines.map((machine) => lease(machine, remote, HERE, generation)))
      const winners = machines.filter((_, i) => answers[i]?.kind === 'leased')
      expect(winners).toHaveLength(1)
      const clone = winners[0]?.clone
      for (const answer of answers) {
        if (answer.kind === 'taken') expect(answer).toMatchObject({ clone, by: `by-${clone}` })
      }
    }
  })

  it('may be asked for again by who has it, and goes back when the claim is known to all', async () => {
    await using remote = await sharedRemote()
    const [a, b] = [await remote.machine(), await remote.machine()]
    make(a, 'x')
    await a.sync()
    expect(await lease(a, remote)).toEqual({ kind: 'leased' })
    expect(await lease(a, remote)).toEqual({ kind: 'leased' })
    // Nothing is claimed yet, and the process lives.
    await a.sync()
    expect(leases(remote)).toBe('refs/gt/lease/x/2')
    expect(await lease(b, remote)).toMatchObject({ kind: 'taken', clone: a.clone })
    claim(a, 'x', 'proj/toast')
    await a.sync()
    expect(leases(remote)).toBe('')
    expect(readdirSync(join(a.dir, 'local/leases'))).toEqual([])
  })

  it('goes back when its process is gone without a claim', async () => {
    await using remote = await sharedRemote()
    const [a, b] = [await remote.machine(), await remote.machine()]
    make(a, 'x')
    expect(await lease(a, remote, '999999999:1')).toEqual({ kind: 'leased' })
    await a.sync()
    expect(leases(remote)).toBe('')
    expect(await lease(b, remote)).toEqual({ kind: 'leased' })
    // The note of a request that lost takes nothing from the winner.
    expect(await lease(a, remote, '999999999:1')).toMatchObject({ kind: 'taken' })
    await a.sync()
    expect(leases(remote)).toBe('refs/gt/lease/x/2')
  })

  it('is not that of a copy of the directory, whoever asks first, and the copy does not give it back', async () => {
    await using remote = await sharedRemote()
    const a = await remote.machine()
    make(a, 'x')
    await a.sync()
    await using before = copyOf(a, remote, false)
    make(before, 'y')
    expect(await lease(a, remote)).toEqual({ kind: 'leased' })
    expect(await lease(before, remote)).toMatchObject({ kind: 'taken', clone: a.clone })
    await using after = copyOf(a, remote, false)
    make(after, 'z')
    expect(await lease(after, remote)).toMatchObject({ kind: 'taken', clone: a.clone })
    await after.sync()
    expect(leases(remote)).toBe('refs/gt/lease/x/2')
    expect(await lease(a, remote)).toEqual({ kind: 'leased' })
  })

  it('stays with the process that has it, when another one of the same machine asks and dies', async () => {
    await using remote = await sharedRemote()
    const [a, b] = [await remote.machine(), await remote.machine()]
    make(a, 'x')
    expect(await lease(a, remote, BESIDE)).toEqual({ kind: 'leased' })
    expect(await lease(a, remote, HERE)).toMatchObject({ kind: 'taken', clone: a.clone })
    expect(await lease(a, remote, GONE)).toMatchObject({ kind: 'taken', clone: a.clone })
    await a.sync()
    expect(await lease(b, remote)).toMatchObject({ kind: 'taken', clone: a.clone })
  })

  it('goes to one of several processes of its machine, when its holder is gone', async () => {
    await using remote = await sharedRemote()
    const a = await remote.machine()
    make(a, 'x')
    expect(await lease(a, remote, GONE)).toEqual({ kind: 'leased' })
    const answers = await Promise.all([lease(a, remote, HERE), lease(a, remote, BESIDE)])
    expect(answers.map(({ kind }) => kind).sort()).toEqual(['leased', 'taken'])
    // What is known of the one that is gone takes nothing from its successor.
    await a.sync()
    expect(leases(remote)).toBe('refs/gt/lease/x/2')
  })

  it('is given back although another process was killed while it asked for it', async () => {
    await using remote = await sharedRemote()
    const a = await remote.machine()
    make(a, 'x')
    expect(await lease(a, remote, GONE)).toEqual({ kind: 'leased' })
    const killed = a.upkeep({
      onStep(step) {
        if (step === 'lease:noted') throw new Error('killed')
      },
    })
    const request = { key: 'x', generation: 2, by: 'a', holder: '999999998:1', timeoutMs: 60_000 }
    await expect(
      killed.lease({ ...request, remote: { url: remote.dir, refs: 'branches' } }),
    ).rejects.toThrow()
    await a.sync()
    expect(leases(remote)).toBe('')
    expect(readdirSync(join(a.dir, 'local/leases'))).toEqual([])
  })

  it('is kept while the claim it was for cannot be sent', async () => {
    await using remote = await sharedRemote()
    const a = await remote.machine()
    make(a, 'x')
    await a.sync()
    expect(await lease(a, remote)).toEqual({ kind: 'leased' })
    claim(a, 'x', 'proj/toast')
    changeByte(join(a.log, `${a.clone}-000001.jsonl`))
    expect(await a.sync()).toMatchObject({ withheld: [`${a.clone}-000001.jsonl`] })
    expect(leases(remote)).toBe('refs/gt/lease/x/2')
  })

  it('is not had when the remote cannot be asked', async () => {
    await using remote = await sharedRemote()
    const a = await remote.machine()
    const asked = a.upkeep().lease({
      remote: { url: join(remote.dir, 'none'), refs: 'branches' },
      key: 'x',
      generation: 2,
      by: 'a',
      holder: HERE,
      timeoutMs: 60_000,
    })
    await expect(asked).rejects.toMatchObject({ code: 'remote-not-found', exitCode: 6 })
  })
})
