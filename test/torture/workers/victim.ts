import { join } from 'node:path'
import { GtError } from '../../../src/domain/errors.js'
import type { Op } from '../../../src/domain/record.js'
import { openLedger } from '../../../src/store/open-ledger.js'
import { openUpkeep } from '../../../src/store/open-upkeep.js'
import type { StoreOptions } from '../../../src/store/store-options.js'
import { appendGarbage } from './garbage.js'
import { readOrder, say } from './order.js'

export type Role = 'writer' | 'snapshotter' | 'committer' | 'compactor' | 'syncer' | 'keeper' | 'purger'

export interface VictimOrder {
  dir: string
  role: Role
  name: string
  /** Ids of beads that all writers fight for. */
  beads: string[]
  segmentLimitBytes: number
  isDurable: boolean
  /** Die at this step... */
  step?: string
  /** ...when it is reached for this time. */
  occurrence?: number
  /** Address of the bare repository that a syncer exchanges through. */
  remote?: string
  /** Only run this many turns and say which steps there are. */
  learnTurns?: number
}

/** What a process was told that is recorded; none of it may ever be missing or there twice. */
export type Said =
  | { kind: 'mail'; id: string; length: number }
  | { kind: 'claim'; id: string; gen: number; by: string }
  | { kind: 'note'; id: string; value: number }
  | { kind: 'comment'; id: string; text: string }
  | { kind: 'compacted'; segments: number }
  | { kind: 'stopped'; why: string }
  | { kind: 'mended'; did: string }
  | { kind: 'put-off'; code: string }
  | { kind: 'purged'; secret: string }
  | { kind: 'synced'; received: number; renamed: boolean }
  | { kind: 'not-synced'; code: string; why: string }
  | { kind: 'turn' }
  | { kind: 'ready' }
  | { kind: 'step'; step: string }
  | { kind: 'garbage' }

const order = readOrder<VictimOrder>()
const me = `${order.name}-${process.pid}`
const steps = new Set<string>()
let passes = 0

function onStep(step: string): void {
  if (order.learnTurns !== undefined && !steps.has(step)) {
    steps.add(step)
    say({ kind: 'step', step })
  }
  if (step !== order.step || ++passes !== order.occurrence) return
  if (Math.random() < 0.3) appendGarbage(join(order.dir, 'log'))
  process.kill(process.pid, 'SIGKILL')
}

const options: StoreOptions = {
  segmentLimitBytes: order.segmentLimitBytes,
  // So that a base has several parts.
  baseLimitBytes: order.segmentLimitBytes * 4,
  sync: order.isDurable ? 'full' : 'os',
  onStep,
}
const ledger = openLedger(order.dir, options)
const upkeep = openUpkeep(order.dir, options)

const ROLES: Record<Role, (turn: number) => unknown> = {
  writer: writeTurn,
  snapshotter: (turn) => {
    sendMail(turn, 'small')
    ledger.compactCache(true)
  },
  committer: async (turn) => {
    sendMail(turn, 'small')
    await ledger.commitHistory()
  },
  compactor: async (turn) => {
    for (let i = 0; i < 10; i++) sendMail(turn * 10 + i, 'small')
    await compact()
  },
  syncer: async (turn) => {
    sendMail(turn, turn % 7 === 3 ? 'blob' : 'small')
    await sync()
  },
  keeper: async (turn) => {
    sendMail(turn, 'small')
    await unlessBusy(async () => {
      await mend()
      if (turn % 4 === 1) await upkeep.rebuild()
      if (turn % 4 === 3) await upkeep.packHistory({ squash: true })
    })
  },
  purger: async (turn) => {
    sendMail(turn, 'small')
    await unlessBusy(() => writeAndPurge(turn))
  },
}

async function live(): Promise<void> {
  say({ kind: 'ready' } satisfies Said)
  // Far more turns than any death takes: a step that is never reached must not hang the torture.
  for (let turn = 0; turn < (order.learnTurns ?? (order.step === undefined ? 500 : 60)); turn++) {
    await ROLES[order.role](turn)
    say({ kind: 'turn' } satisfies Said)
  }
}

function writeTurn(turn: number): void {
  // The odd one lies in a blob, or is a record of several hundred KB.
  sendMail(turn, turn % 13 === 1 ? 'blob' : turn % 17 === 5 ? 'long' : 'small')
  if (turn === 0) create(me)
  else note(turn)
  claim(order.beads[Math.floor(Math.random() * order.beads.length)] ?? '')
  comment(turn)
  if (turn % 11 === 7) appendGarbage(join(order.dir, 'log'))
  if (turn % 9 === 2) ledger.compactCache(true)
}

/**
 * Another one may be at it, or have died with git's lock in its hand, and these say so: that is an answer, not a failure. The
 * end of the torture asks for work that is done.
 */
const BUSY = ['compaction-runs', 'history-contention', 'purge-incomplete', 'git-failed']

async function unlessBusy(work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!(error instanceof GtError) || !BUSY.includes(error.code)) throw error
    say({ kind: 'put-off', code: error.code } satisfies Said)
  }
}

async function compact(): Promise<void> {
  await unlessBusy(async () => {
    const { segments, stopped } = await upkeep.compact()
    if (segments > 0) say({ kind: 'compacted', segments } satisfies Said)
    if (stopped !== undefined) say({ kind: 'stopped', why: stopped.why } satisfies Said)
  })
}

const SYNC_TIMEOUT_MS = 120_000
const SYNC_WAIT_MS = 300

/** Another one may be at it, or hold what it was killed with; the end of the torture asks for a sync that works. */
async function sync(): Promise<void> {
  const remote = { url: order.remote ?? '', refs: 'branches' as const }
  try {
    const receipt = await upkeep.sync({ remote, timeoutMs: SYNC_TIMEOUT_MS, waitMs: SYNC_WAIT_MS })
    const received = receipt.received.reduce((sum, { records }) => sum + records, 0)
    say({ kind: 'synced', received, renamed: receipt.renamed !== undefined } satisfies Said)
    for (const { code, why } of receipt.refused) say({ kind: 'not-synced', code, why } satisfies Said)
  } catch (error) {
    if (!(error instanceof GtError)) throw error
    say({ kind: 'not-synced', code: error.code, why: error.message } satisfies Said)
  }
}

/** What the doctor does, beside all the others. */
async function mend(): Promise<void> {
  const fixes = new Set((await upkeep.check({ deep: false })).flatMap(({ fix }) => fix ?? []))
  for (const fix of fixes) {
    const { did } = await fix.apply()
    say({ kind: 'mended', did } satisfies Said)
  }
}

/** Every other one is long and lies in a blob. */
async function writeAndPurge(turn: number): Promise<void> {
  const id = `secret-${me.replaceAll('/', '-')}-${turn}`
  const secret = `SECRET(${id})`
  write([{ o: 'new', id, k: 'convoy', f: { token: turn % 2 === 0 ? secret : secret.padEnd(66_000, 's') } }])
  write([{ o: 'set', id, f: { note: secret } }])
  await upkeep.purge({ id, what: ['*'], by: order.name })
  say({ kind: 'purged', secret } satisfies Said)
}

function write(ops: Op[]): void {
  ledger.transact(order.name, () => ({ ops }))
}

function sendMail(turn: number, size: 'small' | 'long' | 'blob'): void {
  const id = `mail-${me}-${turn}`
  const body = size === 'blob' ? id.padEnd(66_000, 'b') : 'short'.repeat(turn % 40)
  const parts: Record<string, string> = {}
  if (size === 'long') for (let i = 0; i < 8; i++) parts[`part${i}`] = 'l'.repeat(40_000)
  write([
    { o: 'new', id, k: 'mail', f: { status: 'unread', body, ...parts } },
    { o: 'ev', type: 'mail.sent', data: { id } },
  ])
  say({ kind: 'mail', id, length: body.length } satisfies Said)
}

function create(id: string): void {
  write([{ o: 'new', id, k: 'agent', f: { note: 0 } }])
  say({ kind: 'note', id, value: 0 } satisfies Said)
}

function note(value: number): void {
  write([{ o: 'set', id: me, f: { note: value } }])
  say({ kind: 'note', id: me, value } satisfies Said)
}

function comment(turn: number): void {
  const text = `${me} ${turn}`
  write([{ o: 'say', id: me, x: text }])
  say({ kind: 'comment', id: me, text } satisfies Said)
}

/** The move, the comment and the event of a claim are one record: a loser's leave no trace. */
function claim(id: string): void {
  const { gen } = ledger.transact(order.name, (view) => {
    const gen = (view.get(id)?.generation ?? 0) + 1
    const ops: Op[] = [
      { o: 'move', id, gen, f: { status: 'hooked', assignee: me } },
      { o: 'say', id, x: `${gen} ${me}` },
      { o: 'ev', type: 'claimed', data: { bead: id, gen, by: me } },
    ]
    return { gen, ops }
  })
  say({ kind: 'claim', id, gen, by: me } satisfies Said)
}

void live()
