import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { openLedger } from '../../src/store/open-ledger.js'
import { openUpkeep } from '../../src/store/open-upkeep.js'
import type { AppendOrder, AppendTimes } from './append-worker.js'
import type { ColdTask } from './cold-worker.js'
import { agentName, fillStore } from './fill-store.js'

/** Where bundled workers lie, and an empty folder on the disk to measure. */
export interface StoreBench {
  folder: string
  scriptPath: (name: string) => string
}

const SIZES = [1_000, 20_000, 100_000]
const COLD_RUNS = 21
const HOOKED = agentName(0)

/**
 * Bars of the store, each a ratio to a yardstick of the same run, because machines differ. Prints; asserts nothing.
 * NODE_EXTRA_CA_CERTS is left out on both sides: reading certificates triples the start of a bare Node, which would
 * flatter every ratio to it.
 */
export async function runStoreBench(bench: StoreBench): Promise<void> {
  print(
    `store: load ${loadavg()[0]?.toFixed(1)} at the start; NODE_EXTRA_CA_CERTS unset for both sides; cold: the best of ${COLD_RUNS}`,
  )
  print(row('', 'gt', 'yardstick', 'ratio', 'bar', ''))
  const stores = new Map<number, string>()
  for (const size of SIZES) {
    const dir = join(bench.folder, `beads-${size}`)
    await fillStore(dir, size)
    stores.set(size, dir)
  }
  const at = (size: number) => stores.get(size) ?? ''
  await appendBars(bench, at(20_000))
  await coldBars(bench, at)
  await commitBar(at(1_000), at(20_000))
  await syncBar(bench)
  print('')
  coldTable(bench, at)
  print(`load at the end ${loadavg()[0]?.toFixed(1)}`)
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

function row(
  name: string,
  measured: string,
  yardstick: string,
  ratio: string,
  bar: string,
  verdict: string,
): string {
  return [
    name.padEnd(44),
    measured.padStart(11),
    yardstick.padStart(11),
    ratio.padStart(7),
    bar.padStart(7),
    ` ${verdict}`,
  ].join('  ')
}

function report(name: string, measured: number, yardstick: number, bar: number, what: string): void {
  const ratio = measured / yardstick
  const verdict = ratio <= bar ? `met (${what})` : `MISSED (${what})`
  print(row(name, ms(measured), ms(yardstick), ratio.toFixed(2), `<= ${bar}`, verdict))
}

function ms(value: number): string {
  return `${value.toFixed(value < 10 ? 2 : 1)} ms`
}

function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN
}

function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

function cleanEnv(): NodeJS.ProcessEnv {
  const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env
  return env
}

const APPENDS = 400
const PACED = { processes: 30, seconds: 4, perSecond: 500 }

async function appendBars(bench: StoreBench, dir: string): Promise<void> {
  mkdirSync(join(dir, 'local'), { recursive: true })
  const order = { dir, name: 'proj/one', seconds: 0, startMs: 0 }
  const runs: AppendTimes[] = []
  for (let i = 0; i < 3; i++) runs.push(await append(bench, { ...order, count: APPENDS, everyMs: 0 }))
  const raw = median(runs.map((run) => median(run.raw)))
  const warm = median(runs.map((run) => median(run.append)))
  report('append, warm, p50', warm, raw, 3, 'write + fdatasync, p50')
  const paced = await pacedAppends(bench, dir)
  report(
    `append, ${PACED.processes} processes, ${PACED.perSecond}/s, p99`,
    quantile(paced.append, 0.99),
    raw,
    20,
    'write + fdatasync of one process, p50',
  )
  const [ours, bare] = [quantile(paced.append, 0.99), quantile(paced.raw, 0.99)]
  print(
    row(
      '  the same, beside',
      ms(ours),
      ms(bare),
      (ours / bare).toFixed(2),
      '',
      '(write + fdatasync of 30, p99)',
    ),
  )
}

/** The middle of three runs by its p99. */
async function pacedAppends(bench: StoreBench, dir: string): Promise<AppendTimes> {
  const everyMs = (PACED.processes / PACED.perSecond) * 1000
  const together = async (only: 'append' | 'raw') => {
    const startMs = Date.now() + 500 + PACED.processes * 60
    const order = { dir, count: 0, seconds: PACED.seconds, everyMs, startMs, only }
    const names = Array.from({ length: PACED.processes }, (_, i) => `proj/p${i}`)
    const all = await Promise.all(names.map((name) => append(bench, { ...order, name })))
    return all.flatMap((one) => one[only])
  }
  const middle = async (only: 'append' | 'raw') => {
    const runs = [await together(only), await together(only), await together(only)]
    return runs.sort((a, b) => quantile(a, 0.99) - quantile(b, 0.99))[1] ?? []
  }
  return { append: await middle('append'), raw: await middle('raw') }
}

function append(bench: StoreBench, order: AppendOrder): Promise<AppendTimes> {
  const child = spawn(process.execPath, [bench.scriptPath('append-worker'), JSON.stringify(order)], {
    env: cleanEnv(),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  return new Promise((resolve, reject) => {
    child.on('close', (exitCode) => {
      if (exitCode === 0) resolve(JSON.parse(output) as AppendTimes)
      else reject(new Error(`a writer ended with ${exitCode}`))
    })
  })
}

async function coldBars(bench: StoreBench, at: (size: number) => string): Promise<void> {
  openLedger(at(20_000)).compactCache(true)
  const start = nodeStart()
  report('hook, cold, 20,000', cold(bench, at(20_000), 'hook'), start, 0.15, 'node -e 0')
  const few = cold(bench, at(1_000), 'ready')
  report('ready, cold, 20,000', cold(bench, at(20_000), 'ready'), few, 4, 'at 1,000')
}

/** The best of all runs: what else the machine does only ever adds. */
function best(values: readonly number[]): number {
  return Math.min(...values)
}

function nodeStart(): number {
  const times: number[] = []
  for (let i = 0; i < COLD_RUNS; i++) {
    const start = performance.now()
    spawnSync(process.execPath, ['-e', '0'], { env: cleanEnv() })
    times.push(performance.now() - start)
  }
  return best(times)
}

/** The best of new processes, from the first line of their script to the answer. */
function cold(
  bench: StoreBench,
  dir: string,
  task: ColdTask,
  before: (turn: number) => void = () => {},
): number {
  const times: number[] = []
  const runs = task === 'fold' || task === 'snapshot' ? 5 : COLD_RUNS
  for (let turn = 0; turn < runs; turn++) {
    before(turn)
    const args = [bench.scriptPath('cold-worker'), dir, task, HOOKED, String(turn)]
    const ran = spawnSync(process.execPath, args, { env: cleanEnv(), encoding: 'utf8' })
    if (ran.status !== 0) throw new Error(`cold ${task}: ${ran.stderr}`)
    times.push(Number(ran.stdout))
  }
  return best(times)
}

const COMMITS = 9
const WRITES_PER_COMMIT = 10

async function commitBar(few: string, many: string): Promise<void> {
  const [a, b] = [await commitCost(many), await commitCost(few)]
  report(`commit of ${WRITES_PER_COMMIT} writes, 20,000`, a, b, 2, 'at 1,000')
}

async function commitCost(dir: string): Promise<number> {
  const ledger = openLedger(dir, { env: cleanEnv() })
  await ledger.commitHistory()
  const times: number[] = []
  for (let i = 0; i < COMMITS; i++) {
    for (let n = 0; n < WRITES_PER_COMMIT; n++)
      ledger.transact('human', () => ({ ops: [{ o: 'ev', type: 'bench', data: { i, n } }] }))
    const start = performance.now()
    await ledger.commitHistory()
    times.push(performance.now() - start)
  }
  ledger.close()
  return median(times)
}

const SYNC_ROUNDS = 7
const EDITS = 1_000

/** Each side edits; then one exchange that sends and takes in a thousand records, beside a bare fetch of the same. */
async function syncBar({ folder }: StoreBench): Promise<void> {
  const remote = join(folder, 'beads.git')
  const mirror = join(folder, 'mirror.git')
  git('init', '--quiet', '--bare', remote)
  git('clone', '--quiet', '--mirror', remote, mirror)
  const sides = [join(folder, 'left'), join(folder, 'right')]
  for (const dir of sides) await fillStore(dir, 1_000)
  const sync = async (dir: string) => {
    const upkeep = openUpkeep(dir, { env: cleanEnv() })
    await upkeep.sync({ remote: { url: remote, refs: 'branches' }, timeoutMs: 120_000, waitMs: 60_000 })
  }
  const both: number[] = []
  const fetches: number[] = []
  for (let round = -1; round < SYNC_ROUNDS; round++) {
    for (const dir of sides) edit(dir, round)
    await sync(sides[0] ?? '')
    const start = performance.now()
    await sync(sides[1] ?? '')
    const synced = performance.now()
    git('--git-dir', mirror, 'fetch', '--quiet', 'origin')
    // The first exchange is of whole stores.
    if (round < 0) continue
    both.push(synced - start)
    fetches.push(performance.now() - synced)
  }
  report(`sync of ${EDITS} edits on each side`, median(both), median(fetches), 6, 'git fetch of the same')
}

function edit(dir: string, round: number): void {
  const ledger = openLedger(dir, { sync: 'os' })
  const beads = ledger.read().list({ kind: 'bead' })
  for (let i = 0; i < EDITS; i++) {
    const id = beads[i % beads.length]?.id ?? ''
    ledger.transact('human', () => ({ ops: [{ o: 'set', id, f: { notes: `round ${round}, edit ${i}` } }] }))
  }
  ledger.close()
}

function git(...args: string[]): void {
  const ran = spawnSync('git', args, { encoding: 'utf8', env: cleanEnv() })
  if (ran.status !== 0) throw new Error(`git ${args.join(' ')}: ${ran.stderr}`)
}

const TABLE: ColdTask[] = [
  'load',
  'open',
  'count',
  'hook',
  'inbox',
  'ready',
  'append',
  'claim',
  'fold',
  'snapshot',
]

/** What a new process needs at best, in ms from its first line. Node's own start comes on top. */
function coldTable(bench: StoreBench, at: (size: number) => string): void {
  print(`${'cold, best'.padEnd(10)}${TABLE.map((task) => task.padStart(10)).join('')}`)
  for (const size of SIZES) {
    const cells = TABLE.map((task) => coldCell(bench, at(size), task).toFixed(1).padStart(10))
    print(`${size.toLocaleString('en').padEnd(10)}${cells.join('')}`)
  }
}

function coldCell(bench: StoreBench, dir: string, task: ColdTask): number {
  const ledger = openLedger(dir, { sync: 'os' })
  if (task === 'claim') makeClaimable(dir)
  ledger.compactCache(true)
  ledger.close()
  return cold(bench, dir, task, () => {
    if (task === 'fold' || task === 'snapshot') rmSync(join(dir, 'cache/snap'), { force: true })
  })
}

function makeClaimable(dir: string): void {
  const ledger = openLedger(dir, { sync: 'os' })
  const ids = Array.from({ length: COLD_RUNS }, (_, i) => `cold-${i}`)
  ledger.transact('human', () => ({
    ops: ids.map((id) => ({ o: 'new' as const, id, k: 'bead' as const, f: { status: 'open' } })),
  }))
  ledger.close()
}
