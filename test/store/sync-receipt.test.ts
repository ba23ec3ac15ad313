import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { receiptText } from '../../src/cli/commands/sync.js'
import { changeByte } from './support/chain-files.js'
import { beads, make } from './support/machines.js'
import { type Machine, sharedRemote } from './support/shared-remote.js'

function firstSegment({ clone }: Machine): string {
  return `${clone}-000001.jsonl`
}

describe('the receipt of an exchange', () => {
  it('names own files whose new records stay here, and the exchange does not count as one that worked', async () => {
    await using remote = await sharedRemote()
    const [a, b] = [await remote.machine(), await remote.machine()]
    make(a, 'one')
    await a.sync()
    const before = a.upkeep().syncState()
    changeByte(join(a.log, firstSegment(a)))
    make(a, 'two')
    const receipt = await a.sync()
    await b.sync()
    expect(beads(b)).toEqual(['one'])
    expect(receipt).toMatchObject({ sent: { records: 0, bytes: 0 }, withheld: [firstSegment(a)] })
    expect(receiptText(receipt).join('\n')).toMatch(
      /^! new records are not on .*000001\.jsonl.*gt doctor --fix/,
    )
    const dry = await a.sync({ dryRun: true })
    expect(dry).toMatchObject({ sent: { records: 0, bytes: 0 }, withheld: [firstSegment(a)] })
    const after = a.upkeep().syncState()
    expect(after).toMatchObject({ lastOkAt: before?.lastOkAt, lastError: { code: 'own-chain-damaged' } })
  })

  it('counts what the pushed commit holds, not what was written since', async () => {
    await using remote = await sharedRemote()
    const a = await remote.machine()
    make(a, 'one')
    await a.sync()
    make(a, 'two')
    const onStep = (step: string) => {
      if (step === 'sync:committed') make(a, 'three')
    }
    expect(await a.sync({ options: { onStep } })).toMatchObject({ sent: { records: 1 }, withheld: [] })
    expect(await a.sync()).toMatchObject({ sent: { records: 1 }, withheld: [] })
    expect(await a.sync()).toMatchObject({ sent: { records: 0, bytes: 0 } })
  })

  it('names the machines whose records the remote lacks, until they send them again', async () => {
    await using remote = await sharedRemote()
    const [a, b] = [await remote.machine(), await remote.machine()]
    make(a, 'one')
    make(b, 'two')
    await b.sync()
    await a.sync()
    rmSync(remote.dir, { recursive: true })
    execFileSync('git', ['init', '--quiet', '--bare', remote.dir])
    expect(await a.sync()).toMatchObject({ sent: { records: 1 }, missing: [b.clone] })
    const again = await a.sync()
    expect(again).toMatchObject({ sent: { records: 0 }, missing: [b.clone] })
    expect(receiptText(again).join('\n')).toContain(`not on ${remote.dir}: ${b.clone};`)
    expect(a.upkeep().syncState()).toMatchObject({ missing: [b.clone] })
    await b.sync()
    const settled = await a.sync()
    expect(receiptText(settled)).toEqual([`nothing to do: ${remote.dir} and this machine hold the same`])
    expect(a.upkeep().syncState()?.missing).toBeUndefined()
  })
})
