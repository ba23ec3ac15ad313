import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { GtError } from '../../../src/domain/errors.js'
import { openUpkeep } from '../../../src/store/open-upkeep.js'
import { mountTmpfs, remount, unmount } from '../mounts.js'
import type { Phase, PhaseContext } from '../phase.js'
import { expectOneReading, makeStore, type TortureStore, withLedger } from '../store.js'
import type { FillerOrder, FillerSaid } from '../workers/filler.js'

const ROUNDS = 8
const WRITERS = 4
const MAILS = 40
const SIZE = '6m'
/** Left free in each round, so that the disk fills while they write. */
const HEADROOM_BYTES = 150_000

export const disk: Phase = {
  name: 'disk',
  title:
    'a disk of 6 MB is filled under 4 writers, snapshots and compaction, freed and filled again; then it is mounted read-only and back',
  async run(context) {
    const { folder, tally } = context
    const path = join(folder, 'small')
    const mounted = mountTmpfs(path, SIZE)
    if ('refused' in mounted) {
      tally.skip(`a full disk: ${mounted.refused}`)
      return
    }
    try {
      const store = await makeStore(path, 'beads')
      await fillAndFree(context, store, path)
      readOnly(context, store, path)
      store.warm.close()
    } finally {
      context.crew.killAll()
      unmount(path)
    }
  },
}

async function fillAndFree(context: PhaseContext, store: TortureStore, path: string): Promise<void> {
  const { tally } = context
  const said: FillerSaid[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const filler = join(path, 'filler')
    fillUp(filler)
    said.push(...(await write(context, store, `full${round}`, MAILS)))
    await compact(context, store)
    rmSync(filler)
    const freed = await write(context, store, `freed${round}`, 2)
    said.push(...freed)
    tally.expect(
      freed.every(({ kind }) => kind === 'sent'),
      () => `round ${round}: a write was refused though there is space`,
    )
    expectHonest(context, store, said, `round ${round}`)
    context.progress(`round ${round}`)
  }
  const refused = said.filter(({ kind }) => kind === 'refused').length
  tally.expect(refused > 0, () => 'the disk was never full')
  tally.count('writes refused', refused)
  tally.fault(refused)
}

/** Takes all the space but a little. */
function fillUp(filler: string): void {
  const fd = openSync(filler, 'w')
  const block = Buffer.alloc(64 * 1024)
  const taken: number[] = []
  try {
    for (;;) taken.push(writeSync(fd, block))
  } catch {
    // Full.
  }
  closeSync(fd)
  const size = taken.reduce((sum, length) => sum + length, 0)
  const keep = openSync(filler, 'w')
  for (let left = size - HEADROOM_BYTES; left > 0; left -= block.length)
    writeSync(keep, block, 0, Math.min(left, block.length))
  closeSync(keep)
}

async function write(
  { crew, tally }: PhaseContext,
  store: TortureStore,
  name: string,
  count: number,
): Promise<FillerSaid[]> {
  const workers = Array.from({ length: WRITERS }, (_, i) => {
    const order: FillerOrder = { dir: store.dir, name: `${name}-${i}`, count }
    return crew.start('filler', order)
  })
  for (const { ended } of workers) {
    const { exitCode, stderr } = await ended
    tally.expect(exitCode === 0, () => `a writer on a full disk ended with ${exitCode}: ${stderr}`)
  }
  return workers.flatMap(({ lines }) => lines.map((line) => JSON.parse(line) as FillerSaid))
}

/** May find no space for the base; then everything stays as it was. */
async function compact({ tally }: PhaseContext, store: TortureStore): Promise<void> {
  try {
    const { segments } = await openUpkeep(store.dir).compact()
    tally.count('segments compacted', segments)
  } catch (error) {
    const isKnown = error instanceof GtError && error.code === 'disk-full'
    tally.expect(isKnown, () => `compaction on a full disk: ${error}`)
    tally.fault()
    tally.count('compactions refused')
  }
}

function expectHonest(
  { tally }: PhaseContext,
  store: TortureStore,
  said: readonly FillerSaid[],
  what: string,
): void {
  withLedger(store.dir, (ledger) => {
    const view = ledger.read()
    const events = new Map<unknown, number>()
    for (const { data } of view.events({ type: 'mail.sent' }))
      events.set(data.id, (events.get(data.id) ?? 0) + 1)
    let sent = 0
    for (const one of said) {
      const times = events.get(one.id) ?? 0
      const isThere = view.get(one.id) !== undefined
      if (one.kind === 'sent') {
        sent++
        tally.expect(isThere && times === 1, () => `${what}: sent mail ${one.id} is there ${times} times`)
      } else {
        tally.expect(!isThere && times === 0, () => `${what}: refused mail ${one.id} is there`)
        tally.expect(one.code === 'disk-full', () => `${what}: refused with ${one.code}`)
      }
    }
    tally.expect(
      events.size === sent && view.count({ kind: 'mail' }) === sent,
      () => `${what}: ${sent} mails were sent, ${events.size} are in the feed`,
    )
  })
  expectOneReading(tally, store, what)
}

function readOnly({ tally }: PhaseContext, store: TortureStore, path: string): void {
  const write = (id: string) =>
    withLedger(store.dir, (ledger) =>
      ledger.transact('human', () => ({ ops: [{ o: 'new', id, k: 'bead', f: {} }] })),
    )
  write('before')
  remount(path, 'ro')
  tally.fault()
  try {
    write('refused')
    tally.lose('a write to a read-only disk was not refused')
  } catch (error) {
    const code = error instanceof GtError ? error.code : String(error)
    tally.expect(code === 'store-not-writable', () => `a read-only disk is called ${code}`)
  }
  withLedger(store.dir, (ledger) => {
    tally.expect(ledger.read().get('before') !== undefined, () => 'a read-only store cannot be read')
    ledger.compactCache(true)
  })
  remount(path, 'rw')
  write('after')
  withLedger(store.dir, (ledger) => {
    tally.expect(ledger.read().get('refused') === undefined, () => 'a refused write is there')
    tally.expect(ledger.read().get('after') !== undefined, () => 'a write after read-only is not there')
  })
}
