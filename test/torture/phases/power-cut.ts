import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Seeded } from '../../store/support/seeded.js'
import { soon, type Worker } from '../crew.js'
import { copyDisk, makeDisk, mountDisk, unmount } from '../mounts.js'
import { type Phase, type PhaseContext, Tally } from '../phase.js'
import { makeStore, storeIn, withLedger } from '../store.js'
import type { Said, VictimOrder } from '../workers/victim.js'
import { expectPromisesKept } from './kept-promises.js'

const DISK_BYTES = 96 * 2 ** 20
const DISKS = 4
const CUTS_PER_DISK = 6
const WRITERS = 6
const BEADS = ['bead-0', 'bead-1', 'bead-2']

export const powerCut: Phase = {
  name: 'power-cut',
  title:
    'writers on a file system of their own (ext4 on a loop device) are stopped, the disk is copied as it is and mounted elsewhere; without flushing, as a control, records must be missing',
  async run(context) {
    for (let disk = 0; disk < DISKS; disk++) {
      if (!(await oneDisk(context, `disk-${disk}`, true, context.tally))) return
    }
    const control = new Tally()
    await oneDisk(context, 'control', false, control)
    context.tally.count('control: losses without flushing', control.lossCount)
    context.tally.expect(
      control.lossCount > 0,
      () => 'nothing is lost without flushing either: this proves nothing',
    )
  },
}

/** @returns false when this machine cannot do it */
async function oneDisk(
  context: PhaseContext,
  name: string,
  isDurable: boolean,
  tally: Tally,
): Promise<boolean> {
  const image = join(context.folder, `${name}.img`)
  const path = join(context.folder, name)
  const failed = makeDisk(image, DISK_BYTES)
  const mounted = failed === undefined ? mountDisk(image, path) : { refused: failed }
  if ('refused' in mounted) {
    context.tally.skip(`power cuts: ${mounted.refused}`)
    return false
  }
  try {
    await cutAgainAndAgain(context, { image, path, isDurable }, tally)
  } finally {
    context.crew.killAll()
    unmount(path)
    rmSync(image)
  }
  return true
}

interface Disk {
  image: string
  path: string
  isDurable: boolean
}

async function cutAgainAndAgain(context: PhaseContext, disk: Disk, tally: Tally): Promise<void> {
  const random = new Seeded(context.options.seed + disk.image.length)
  const { dir } = await makeStore(disk.path, 'beads')
  withLedger(dir, (ledger) =>
    ledger.transact('human', () => ({
      ops: BEADS.map((id) => ({ o: 'new' as const, id, k: 'bead' as const, f: { status: 'open' } })),
    })),
  )
  const said: Said[] = []
  const writers = Array.from({ length: WRITERS }, (_, i) => {
    const order: VictimOrder = {
      dir,
      role: 'writer',
      name: `proj/w${i}`,
      beads: BEADS,
      segmentLimitBytes: random.pick([4096, 65_536]),
      isDurable: disk.isDurable,
    }
    return context.crew.start('victim', order, { onLine: (line) => said.push(JSON.parse(line) as Said) })
  })
  await Promise.all(writers.map(({ spoke }) => spoke))
  for (let cut = 0; cut < CUTS_PER_DISK; cut++) {
    await soon(50 + random.below(400))
    await oneCut(context, disk, tally, writers, said)
    context.progress(`${said.length} lines said`)
  }
  for (const { child } of writers) child.kill('SIGKILL')
  await Promise.all(writers.map(({ ended }) => ended))
}

async function oneCut(
  { folder }: PhaseContext,
  disk: Disk,
  tally: Tally,
  writers: readonly Worker[],
  said: readonly Said[],
): Promise<void> {
  const copy = join(folder, 'after.img')
  const path = join(folder, 'after')
  await stopAll(writers)
  copyDisk(disk.image, copy)
  // What was said before the stop may still be in the pipes.
  await soon(30)
  const before = [...said]
  for (const { child } of writers) child.kill('SIGCONT')
  tally.fault()
  const mounted = mountDisk(copy, path)
  if ('refused' in mounted) {
    tally.lose(`the disk does not mount after the cut: ${mounted.refused}`)
    return
  }
  try {
    expectAll(tally, join(path, 'beads'), before)
  } finally {
    unmount(path)
    rmSync(copy)
  }
}

function expectAll(tally: Tally, dir: string, said: readonly Said[]): void {
  try {
    const store = storeIn(dir)
    expectPromisesKept(tally, store, said, 'after a cut')
    store.warm.close()
    withLedger(dir, (ledger) => {
      ledger.transact('human', () => ({ ops: [{ o: 'new', id: 'after', k: 'bead', f: {} }] }))
      tally.expect(ledger.read().get('after') !== undefined, () => 'the store cannot be written after a cut')
    })
  } catch (error) {
    tally.lose(`the store cannot be used after a cut: ${error instanceof Error ? error.message : error}`)
  }
}

async function stopAll(writers: readonly Worker[]): Promise<void> {
  for (const { child } of writers) child.kill('SIGSTOP')
  while (!writers.every(({ child }) => hasStopped(child.pid ?? 0))) await soon(1)
}

function hasStopped(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return /^[TtZX]/.test(stat.slice(stat.lastIndexOf(')') + 2))
  } catch {
    return true
  }
}
