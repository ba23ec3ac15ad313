import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { Seeded } from '../../store/support/seeded.js'
import { soon, type Worker } from '../crew.js'
import type { Phase, PhaseContext } from '../phase.js'
import { makeStore, type TortureStore, withLedger } from '../store.js'
import type { InjectorOrder } from '../workers/injector.js'
import type { Role, Said, VictimOrder } from '../workers/victim.js'
import { expectPromisesKept } from './kept-promises.js'
import { expectPurged } from './purged.js'

const DEATHS_PER_STORE = 100
const AT_ONCE = 4
const BEADS = ['bead-0', 'bead-1', 'bead-2', 'bead-3', 'bead-4']
const SEGMENT_LIMITS = [4096, 16_384, 262_144]
/** A commit takes a hundred times as long as a record. */
const LINES_BEFORE_DEATH: Record<Role, number> = {
  writer: 40,
  snapshotter: 40,
  committer: 6,
  compactor: 60,
  syncer: 8,
  keeper: 8,
  purger: 14,
}
const LEARN_TURNS = 30
/** Of ten deaths, this many come at a named step, the others at any instant. */
const AT_STEPS_OF_TEN = 4

/**
 * Every step that a role announces and none before it does, found by running it once: a new step in the store is a new
 * place to die without being listed here.
 */
type Steps = ReadonlyMap<Role, string[]>

interface Death {
  role: Role
  step: string | undefined
}

export const kills: Phase = {
  name: 'kills',
  title:
    'processes killed at every step of writing and at random instants, torn lines and garbage beside them',
  run: (context) =>
    killAll(context, context.options.kills, ['writer', 'snapshotter', 'committer', 'compactor'], 4),
}

const KILLS_PER_CARE_DEATH = 8

export const care: Phase = {
  name: 'care',
  title:
    'repairs by the doctor, rebuilding, squashing and purging killed at every step under busy writers; what was purged must be nowhere',
  run: (context) =>
    killAll(
      context,
      Math.ceil(context.options.kills / KILLS_PER_CARE_DEATH),
      ['writer', 'keeper', 'purger', 'compactor'],
      2,
    ),
}

/** @param writers - how many writers are killed at any instant for each of the other roles */
async function killAll(
  context: PhaseContext,
  count: number,
  roles: readonly Role[],
  writers: number,
): Promise<void> {
  const random = new Seeded(context.options.seed)
  const steps = await learnSteps(context, roles)
  context.tally.count('named steps', [...steps.values()].flat().length)
  const anyInstant = [...roles, ...Array.from({ length: writers - 1 }, (): Role => 'writer')]
  const deaths = planDeaths(steps, anyInstant, count, random)
  for (let first = 0; first < deaths.length; first += DEATHS_PER_STORE) {
    await oneStore(context, random, deaths.slice(first, first + DEATHS_PER_STORE), String(first))
  }
}

async function learnSteps(context: PhaseContext, roles: readonly Role[]): Promise<Steps> {
  const store = await makeStore(context.folder, 'learn')
  createBeads(store)
  const steps = new Map<Role, string[]>()
  for (const role of roles) {
    const { lines, ended } = context.crew.start('victim', {
      ...orderFor(store, role, 'learner'),
      segmentLimitBytes: 4096,
      learnTurns: LEARN_TURNS,
    })
    const { exitCode, stderr } = await ended
    if (exitCode !== 0) throw new Error(`a ${role} could not work at all: ${stderr}`)
    const known = new Set([...steps.values()].flat())
    const said = lines.map((line) => JSON.parse(line) as Said)
    const own = said.flatMap((one) => (one.kind === 'step' && !known.has(one.step) ? [one.step] : []))
    steps.set(role, own)
  }
  store.warm.close()
  return steps
}

function planDeaths(steps: Steps, anyInstant: readonly Role[], count: number, random: Seeded): Death[] {
  const named = [...steps].flatMap(([role, names]) => names.map((step): Death => ({ role, step })))
  return Array.from({ length: count }, (_, i): Death => {
    const isNamed = i % 10 < AT_STEPS_OF_TEN && named.length > 0
    if (!isNamed) return { role: random.pick(anyInstant), step: undefined }
    const turn = Math.floor(i / 10) * AT_STEPS_OF_TEN + (i % 10)
    return named[turn % named.length] as Death
  })
}

function orderFor(store: TortureStore, role: Role, name: string): VictimOrder {
  return { dir: store.dir, role, name, beads: BEADS, segmentLimitBytes: 4096, isDurable: true }
}

function createBeads(store: TortureStore): void {
  withLedger(store.dir, (ledger) =>
    ledger.transact('human', () => ({
      ops: BEADS.map((id) => ({ o: 'new' as const, id, k: 'bead' as const, f: { status: 'open' } })),
    })),
  )
}

async function oneStore(context: PhaseContext, random: Seeded, deaths: Death[], name: string): Promise<void> {
  const { tally, crew, progress } = context
  const store = await makeStore(context.folder, name)
  createBeads(store)
  const said: Said[] = []
  const segmentLimitBytes = random.pick(SEGMENT_LIMITS)
  const injector = crew.start('injector', { log: store.log, everyMs: 15 } satisfies InjectorOrder, {
    onLine: () => tally.count('pieces of garbage'),
  })
  const waiting = [...deaths.entries()]
  const die = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [number, death] = next
      const order = { ...orderFor(store, death.role, `proj/w${name}-${number}`), segmentLimitBytes }
      const died = await oneDeath(context, random, order, death, said)
      // It had its chance; another one dies instead.
      if (!died) waiting.push([deaths.length + number, { role: 'writer', step: undefined }])
      store.warm.refresh()
      progress(`${tally.facts.get('acknowledged') ?? 0} records acknowledged`)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, die))
  injector.child.kill('SIGKILL')
  await injector.ended
  await expectPurged(tally, store, said, `seed ${context.options.seed}, store ${name}`)
  expectPromisesKept(tally, store, said, `seed ${context.options.seed}, store ${name}`)
  store.warm.close()
  rmSync(join(context.folder, name), { recursive: true, force: true })
}

async function oneDeath(
  { tally, crew }: PhaseContext,
  random: Seeded,
  order: VictimOrder,
  { step, role }: Death,
  said: Said[],
): Promise<boolean> {
  const isRare = step === undefined || /blob|history|compact|repair|purge|new-segment|seal/.test(step)
  const occurrence = 1 + random.below(isRare ? 1 : 5)
  const worker = crew.start('victim', step === undefined ? order : { ...order, step, occurrence })
  if (step === undefined) await killAtRandom(worker, 1 + random.below(LINES_BEFORE_DEATH[role]), random)
  const { signal, exitCode, stderr } = await worker.ended
  for (const line of worker.lines) said.push(JSON.parse(line) as Said)
  tally.expect(
    stderr === '' && (signal === 'SIGKILL' || exitCode === 0),
    () => `a ${role} to be killed at ${step ?? 'any instant'} ended with ${exitCode}: ${stderr}`,
  )
  if (signal !== 'SIGKILL') {
    tally.count('ended before it could be killed')
    return false
  }
  tally.fault()
  tally.count(step === undefined ? 'killed at a random instant' : 'killed at a named step')
  return true
}

/** After some acknowledgements, then at a random moment of what follows. */
async function killAtRandom(worker: Worker, wanted: number, random: Seeded): Promise<void> {
  let hasEnded = false
  void worker.ended.then(() => {
    hasEnded = true
  })
  while (!hasEnded && worker.lines.length < wanted) await soon(1)
  await soon(random.below(9))
  worker.child.kill('SIGKILL')
}
