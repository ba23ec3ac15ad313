import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Op } from '../../../src/domain/record.js'
import { Seeded } from '../../store/support/seeded.js'
import { soon, type Worker } from '../crew.js'
import type { Phase, PhaseContext } from '../phase.js'
import { expectOneReading, makeStore, type TortureStore, withLedger } from '../store.js'
import type { ClaimerOrder, ClaimerSaid } from '../workers/claimer.js'

interface Race {
  processes: number
  beads: number
  everyMs: number
  segmentLimitBytes: number
  isDurable: boolean
  /** Processes to kill while it runs; each is replaced by a new one. */
  kills: number
}

/** Flushing, tiny segments (a seal every few records) and kills each meet 12 and 30 processes. */
const RACES: readonly Race[] = [
  { processes: 12, beads: 1200, everyMs: 4, segmentLimitBytes: 262_144, isDurable: true, kills: 0 },
  { processes: 12, beads: 800, everyMs: 4, segmentLimitBytes: 2000, isDurable: false, kills: 0 },
  { processes: 12, beads: 800, everyMs: 6, segmentLimitBytes: 16_384, isDurable: true, kills: 60 },
  { processes: 30, beads: 800, everyMs: 10, segmentLimitBytes: 262_144, isDurable: false, kills: 0 },
  { processes: 30, beads: 500, everyMs: 10, segmentLimitBytes: 4000, isDurable: true, kills: 0 },
  { processes: 30, beads: 500, everyMs: 12, segmentLimitBytes: 16_384, isDurable: true, kills: 60 },
]

export const claims: Phase = {
  name: 'claims',
  title:
    '12 and 30 processes that saw the same free beads claim and create them at the same moments; some are killed while they do',
  async run(context) {
    for (const [number, race] of RACES.entries()) await runRace(context, race, String(number))
  },
}

/** What one process was told. */
interface Told {
  name: string
  said: ClaimerSaid[]
}

async function runRace(context: PhaseContext, race: Race, number: string): Promise<void> {
  const { folder, progress, tally } = context
  const store = await makeStore(folder, number)
  const beads = Array.from({ length: race.beads }, (_, i) => `bead-${i}`)
  const names = Array.from({ length: race.processes + race.kills }, (_, i) => `proj/agent-${i}`)
  createAll(store, beads, names)
  progress(`${race.processes} processes, ${race.beads} beads, ${race.kills} kills`)
  const told = await letThemRun(context, store, race, beads, names)
  const what = `race ${number}: ${race.processes} processes, ${race.kills} kills`
  expectOneWinnerEach(context, store, beads, told, what)
  expectOneReading(tally, store, what)
  store.warm.close()
  rmSync(store.dir, { recursive: true, force: true })
}

function createAll(store: TortureStore, beads: readonly string[], names: readonly string[]): void {
  const ops: Op[] = [
    ...beads.map((id): Op => ({ o: 'new', id, k: 'bead', f: { status: 'open' } })),
    ...names.map((id): Op => ({ o: 'new', id, k: 'agent', f: {} })),
  ]
  withLedger(store.dir, (ledger) => {
    for (let i = 0; i < ops.length; i += 100) ledger.transact('human', () => ({ ops: ops.slice(i, i + 100) }))
  })
}

async function letThemRun(
  context: PhaseContext,
  store: TortureStore,
  race: Race,
  beads: string[],
  names: readonly string[],
): Promise<Told[]> {
  const { segmentLimitBytes, isDurable, everyMs } = race
  const start = join(store.dir, 'local/start')
  const told: Told[] = []
  const begin = (name: string, firstMs: number): Worker => {
    const mine: Told = { name, said: [] }
    told.push(mine)
    const order: ClaimerOrder = {
      dir: store.dir,
      start,
      name,
      beads,
      firstMs,
      everyMs,
      segmentLimitBytes,
      isDurable,
    }
    return context.crew.start('claimer', order, {
      onLine: (line) => mine.said.push(JSON.parse(line) as ClaimerSaid),
    })
  }
  // Loading thirty processes on two cores takes a while; who is late finds its moments passed and hurries.
  const firstMs = Date.now() + 300 + race.processes * 60
  const running = names.slice(0, race.processes).map((name) => begin(name, firstMs))
  await Promise.all(running.map(({ spoke }) => spoke))
  writeFileSync(start, '')
  await killSome(context, race, running, (name) => begin(name, firstMs), names.slice(race.processes))
  for (const { exitCode, signal, stderr } of await Promise.all(running.map(({ ended }) => ended)))
    context.tally.expect(
      exitCode === 0 || (signal === 'SIGKILL' && race.kills > 0),
      () => `a claimer ended with ${exitCode ?? signal}: ${stderr}`,
    )
  return told
}

async function killSome(
  { tally, options }: PhaseContext,
  race: Race,
  running: Worker[],
  begin: (name: string) => Worker,
  spare: readonly string[],
): Promise<void> {
  const random = new Seeded(options.seed + race.processes)
  for (const name of spare) {
    await soon(((race.beads * race.everyMs) / race.kills) * random.next() * 1.5)
    const living = running.filter(({ child }) => child.exitCode === null && child.signalCode === null)
    if (living.length === 0) return
    random.pick(living).child.kill('SIGKILL')
    running.push(begin(name))
    tally.fault()
    tally.count('claimers killed')
  }
}

function expectOneWinnerEach(
  { tally }: PhaseContext,
  store: TortureStore,
  beads: readonly string[],
  told: readonly Told[],
  what: string,
): void {
  const winners = toldWinners(told, 'won')
  const makers = toldWinners(told, 'made')
  const attempts = told
    .flatMap(({ said }) => said)
    .flatMap((one) => (one.kind === 'met' ? [one.attempts] : []))
  tally.count(
    'attempts',
    attempts.reduce((sum, count) => sum + count, 0),
  )
  withLedger(store.dir, (ledger) => {
    const view = ledger.read()
    const events = new Map<unknown, unknown[]>()
    for (const { data } of view.events({ type: 'claimed' }))
      events.set(data.id, [...(events.get(data.id) ?? []), data.by])
    const held = new Map<unknown, number>()
    for (const id of beads) {
      tally.fault()
      tally.count('beads fought for')
      const bead = view.get(id)
      const holder = bead?.fields.assignee
      held.set(holder, (held.get(holder) ?? 0) + 1)
      const comments = view.comments(id).map(({ text }) => text)
      tally.expectEqual(
        [bead?.generation, comments, events.get(id)],
        [2, [`claimed by ${holder}`], [holder]],
        `${what}: ${id} has one holder and one trace of it`,
      )
      const acknowledged = winners.get(id) ?? []
      // A process killed between its claim and its word won without anybody hearing of it.
      const isHonest = acknowledged.every((name) => name === holder) && acknowledged.length <= 1
      tally.expect(
        isHonest,
        () => `${what}: ${id} was given to ${acknowledged.join(', ')}, ${holder} holds it`,
      )
    }
    for (const { name } of told) {
      tally.expectEqual(view.get(name)?.generation, 1 + (held.get(name) ?? 0), `${what}: moves of ${name}`)
    }
    for (const [id, names] of makers) {
      tally.fault()
      tally.expectEqual(names, [view.get(id)?.fields.title], `${what}: ${id} was made once`)
    }
  })
}

function toldWinners(told: readonly Told[], kind: 'won' | 'made'): Map<string, string[]> {
  const winners = new Map<string, string[]>()
  for (const { name, said } of told) {
    for (const one of said) {
      if (one.kind === kind) winners.set(one.id, [...(winners.get(one.id) ?? []), name])
    }
  }
  return winners
}
