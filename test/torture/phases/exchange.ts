import { execFileSync } from 'node:child_process'
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { currentPlace } from '../../../src/store/clone-identity.js'
import { storePaths } from '../../../src/store/layout.js'
import { openUpkeep } from '../../../src/store/open-upkeep.js'
import { dumpStore } from '../../store/support/dump.js'
import { Seeded } from '../../store/support/seeded.js'
import { killGroup, soon, type Worker } from '../crew.js'
import type { Phase, PhaseContext } from '../phase.js'
import { makeStore, storeIn, type TortureStore, withLedger } from '../store.js'
import type { Role, Said, VictimOrder } from '../workers/victim.js'
import { expectPromisesKept } from './kept-promises.js'

/** An exchange takes as long as hundreds of records. */
const KILLS_PER_DEATH = 8
const LEARN_TURNS = 3
const FINAL_SYNCS = 4
const BEADS_PER_MACHINE = 3

interface Machine {
  name: string
  store: TortureStore
  /** Claimed on this machine only: between machines the higher generation wins, which is no loss. */
  beads: string[]
}

interface Town {
  remote: string
  machines: Machine[]
  said: Said[]
  random: Seeded
  steps: string[]
}

export const exchange: Phase = {
  name: 'exchange',
  title:
    'three machines and a bare remote: writers, compactions and syncs are killed, syncs at every step and together with their git; one machine is imaged, so that two write under one id; in the end all must hold everything',
  async run(context) {
    const { folder, options } = context
    const remote = join(folder, 'beads.git')
    execFileSync('git', ['init', '--quiet', '--bare', remote])
    const town: Town = { remote, machines: [], said: [], random: new Seeded(options.seed), steps: [] }
    for (const name of ['a', 'b', 'c'])
      town.machines.push(await newMachine(name, await makeStore(folder, name)))
    town.steps = await learnSteps(context, town)
    const deaths = Math.ceil(options.kills / KILLS_PER_DEATH)
    await stage(context, town, Math.ceil(deaths / 2))
    town.machines.push(imageOf(context, town.machines[2] as Machine, 'd'))
    await stage(context, town, Math.floor(deaths / 2))
    await expectAllAlike(context, town)
  },
}

async function newMachine(name: string, store: TortureStore): Promise<Machine> {
  const beads = Array.from({ length: BEADS_PER_MACHINE }, (_, i) => `bead-${name}-${i}`)
  withLedger(store.dir, (ledger) =>
    ledger.transact('human', () => ({
      ops: beads.map((id) => ({ o: 'new' as const, id, k: 'bead' as const, f: { status: 'open' } })),
    })),
  )
  return { name, store, beads }
}

/** The same disk in another computer: nothing tells that it is a copy, and both write under one id. */
function imageOf({ folder, tally }: PhaseContext, { store }: Machine, name: string): Machine {
  const dir = join(folder, name)
  cpSync(store.dir, dir, { recursive: true })
  const { clone } = storePaths(dir)
  const identity = JSON.parse(readFileSync(clone, 'utf8')) as object
  writeFileSync(clone, `${JSON.stringify({ ...identity, ...currentPlace(dir) })}\n`)
  tally.fault()
  tally.count('machines imaged')
  const beads = Array.from({ length: BEADS_PER_MACHINE }, (_, i) => `bead-${name}-${i}`)
  const machine: Machine = { name, store: storeIn(dir), beads }
  withLedger(dir, (ledger) =>
    ledger.transact('human', () => ({
      ops: beads.map((id) => ({ o: 'new' as const, id, k: 'bead' as const, f: { status: 'open' } })),
    })),
  )
  return machine
}

function orderFor({ store, beads, name }: Machine, role: Role, remote: string, serial: string): VictimOrder {
  return {
    dir: store.dir,
    role,
    name: `${name}/${role}-${serial}`,
    beads,
    remote,
    segmentLimitBytes: 8192,
    isDurable: true,
  }
}

async function learnSteps({ crew }: PhaseContext, { machines, remote, said }: Town): Promise<string[]> {
  const steps = new Set<string>()
  for (const machine of machines) {
    const order = { ...orderFor(machine, 'syncer', remote, 'learner'), learnTurns: LEARN_TURNS }
    const { lines, ended } = crew.start('victim', order)
    const { exitCode, stderr } = await ended
    if (exitCode !== 0) throw new Error(`a sync could not work at all: ${stderr}`)
    for (const line of lines) {
      const one = JSON.parse(line) as Said
      said.push(one)
      if (one.kind === 'step') steps.add(one.step)
    }
  }
  // Only reached when an id is in use twice.
  for (const step of ['sync:id-prepared', 'sync:id-taken', 'sync:id-sealed', 'sync:former-adopted'])
    steps.add(step)
  return [...steps].filter((step) => step.startsWith('sync:') || step.startsWith('history:'))
}

async function stage(context: PhaseContext, town: Town, deaths: number): Promise<void> {
  let left = deaths
  let serial = 0
  const hasMore = () => left-- > 0
  const runs = town.machines.flatMap((machine) => [
    loop(hasMore, () => oneSyncer(context, town, machine, `${town.machines.length}-${serial++}`)),
    loop(hasMore, () => oneWriter(context, town, machine, `${town.machines.length}-${serial++}`)),
  ])
  await Promise.all(runs)
}

async function loop(hasMore: () => boolean, work: () => Promise<void>): Promise<void> {
  while (hasMore()) await work()
}

async function oneSyncer(context: PhaseContext, town: Town, machine: Machine, serial: string): Promise<void> {
  const { random, remote, steps } = town
  const step = random.chance(0.6) ? random.pick(steps) : undefined
  const order = orderFor(machine, 'syncer', remote, serial)
  const worker = context.crew.start(
    'victim',
    step === undefined ? order : { ...order, step, occurrence: 1 },
    {
      isGroup: true,
    },
  )
  // A step that is not reached in some syncs is not waited for.
  const wanted = step === undefined ? 1 + random.below(6) : 12
  await untilSaid(worker, wanted)
  await soon(random.below(step === undefined ? 150 : 1))
  const isWithGit = random.chance(0.5)
  if (isWithGit) killGroup(worker)
  else worker.child.kill('SIGKILL')
  await note(context, town, worker, isWithGit ? 'syncs killed with their git' : 'syncs killed')
}

async function oneWriter(context: PhaseContext, town: Town, machine: Machine, serial: string): Promise<void> {
  const { random, remote } = town
  const role = random.chance(0.25) ? 'compactor' : 'writer'
  const worker = context.crew.start('victim', orderFor(machine, role, remote, serial))
  await untilSaid(worker, 5 + random.below(40))
  worker.child.kill('SIGKILL')
  await note(context, town, worker, `${role}s killed`)
}

async function untilSaid(worker: Worker, lines: number): Promise<void> {
  let hasEnded = false
  void worker.ended.then(() => {
    hasEnded = true
  })
  while (!hasEnded && worker.lines.length < lines) await soon(2)
}

async function note(
  { tally, progress }: PhaseContext,
  town: Town,
  worker: Worker,
  what: string,
): Promise<void> {
  const { signal, exitCode, stderr } = await worker.ended
  tally.expect(
    stderr === '' && (signal === 'SIGKILL' || exitCode === 0),
    () => `a process to be killed ended with ${exitCode}: ${stderr}`,
  )
  tally.fault()
  tally.count(what)
  for (const line of worker.lines) town.said.push(JSON.parse(line) as Said)
  progress(`${town.machines.length} machines`)
}

async function expectAllAlike(context: PhaseContext, town: Town): Promise<void> {
  const { tally } = context
  for (const one of town.said) {
    if (one.kind === 'synced') tally.count('exchanges')
    if (one.kind === 'synced') tally.count('records received', one.received)
    if (one.kind === 'not-synced') tally.count(`exchanges put off (${one.code})`)
  }
  const remote = { url: town.remote, refs: 'branches' as const }
  for (let round = 0; round < FINAL_SYNCS; round++) {
    for (const { name, store } of town.machines) {
      const upkeep = openUpkeep(store.dir)
      const receipt = await upkeep.sync({ remote, timeoutMs: 300_000, waitMs: 120_000 })
      if (receipt.renamed !== undefined) tally.count('ids in use twice, resolved')
      tally.expect(
        receipt.refused.length === 0,
        () => `${name} refused ${JSON.stringify(receipt.refused)} in the end`,
      )
    }
  }
  const dumps = town.machines.map(({ store }) => {
    const { damage: _, ...records } = dumpStore(store.dir, 'log only')
    return records
  })
  for (const [i, { name, store }] of town.machines.entries()) {
    tally.expectEqual(dumps[i], dumps[0], `machine ${name} differs`)
    expectPromisesKept(tally, store, town.said, `seed ${context.options.seed}, machine ${name}`)
    store.warm.close()
  }
}
