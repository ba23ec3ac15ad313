import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { GtError } from '../../../src/domain/errors.js'
import { segmentName, storePaths } from '../../../src/store/layout.js'
import { openLedger } from '../../../src/store/open-ledger.js'
import { openUpkeep } from '../../../src/store/open-upkeep.js'
import { encodeRecord } from '../../../src/store/record-line.js'
import { Seeded } from '../../store/support/seeded.js'
import type { Phase, PhaseContext, Tally } from '../phase.js'
import { makeStore, storeIn, type TortureStore, withLedger } from '../store.js'

const TRIALS = 600
const MAILS = 30
const NEWLINE = 10

export const accidents: Phase = {
  name: 'accidents',
  title:
    'segments edited by hand, the snapshot deleted, cut, flipped, replaced by an older or a foreign one, a newer format, locks of the dead, of reused pids and of killed gits, a copied directory',
  async run(context) {
    const random = new Seeded(context.options.seed)
    const original = await makeStore(context.folder, 'original')
    sendMails(original, 0, MAILS)
    for (let trial = 0; trial < TRIALS; trial++) {
      editByHand(context, original, random, trial)
      spoilSnapshot(context, original, random, trial)
      context.progress(`trial ${trial}`)
    }
    newerFormat(context, original)
    await locks(context, original)
    copies(context, original)
    original.warm.close()
  },
}

function sendMails(store: TortureStore, from: number, to: number): void {
  withLedger(store.dir, (ledger) => {
    for (let i = from; i < to; i++) {
      ledger.transact('human', () => ({
        ops: [
          { o: 'new', id: `mail-${i}`, k: 'mail', f: { body: `body ${i} ${'x'.repeat(i * 3)}` } },
          { o: 'ev', type: 'mail.sent', data: { id: `mail-${i}` } },
        ],
      }))
    }
  })
}

/** A copy in a place of its own; the copy takes a clone id of its own, and its old chain stays as it is. */
function copyOf(context: PhaseContext, original: TortureStore, name: string): TortureStore {
  const dir = join(context.folder, name)
  cpSync(original.dir, dir, { recursive: true })
  return { ...storeIn(dir), clone: original.clone }
}

type Lines = Buffer[]

/** Each changes lines of a segment as a hand, an editor or a bad disk would. @returns indexes of lines that may be gone */
const EDITS: Record<string, (lines: Lines, at: number, random: Seeded) => number[]> = {
  'a byte flipped': (lines, at, random) => {
    const line = lines[at] ?? Buffer.alloc(0)
    const place = random.below(line.length - 1)
    line[place] = (line[place] ?? 0) ^ (1 << random.below(7))
    return [at]
  },
  'bytes put in': (lines, at, random) => {
    const line = lines[at] ?? Buffer.alloc(0)
    const place = random.below(line.length)
    lines[at] = Buffer.concat([line.subarray(0, place), Buffer.from('oops'), line.subarray(place)])
    return [at]
  },
  'a line cut in two': (lines, at, random) => {
    const line = lines[at] ?? Buffer.alloc(0)
    const place = 1 + random.below(line.length - 2)
    lines[at] = Buffer.concat([line.subarray(0, place), Buffer.from('\n'), line.subarray(place)])
    return [at]
  },
  'a line end deleted': (lines, at) => {
    const line = lines[at] ?? Buffer.alloc(0)
    lines[at] = line.subarray(0, -1)
    return []
  },
  'Windows line ends': (lines) => {
    for (const [i, line] of lines.entries())
      lines[i] = Buffer.concat([line.subarray(0, -1), Buffer.from('\r\n')])
    return []
  },
  'a line doubled': (lines, at) => {
    lines.splice(at, 0, lines[at] ?? Buffer.alloc(0))
    return []
  },
  'two lines exchanged': (lines, at, random) => {
    const other = random.below(lines.length)
    const kept = lines[at] ?? Buffer.alloc(0)
    lines[at] = lines[other] ?? kept
    lines[other] = kept
    return []
  },
  'NUL bytes over a line': (lines, at) => {
    lines[at]?.subarray(0, -1).fill(0)
    return [at]
  },
  'empty lines': (lines, at) => {
    lines.splice(at, 0, Buffer.from('\n\n\n'))
    return []
  },
}

function editByHand(context: PhaseContext, original: TortureStore, random: Seeded, trial: number): void {
  const { tally } = context
  const name = random.pick(Object.keys(EDITS))
  const store = copyOf(context, original, `edit-${trial}`)
  const path = join(store.log, segmentName(original.clone, 1))
  const lines = linesOf(readFileSync(path))
  // The first line is the head.
  const at = 1 + random.below(lines.length - 1)
  const gone = (EDITS[name]?.(lines, at, random) ?? []).map((line) => line - 1)
  writeFileSync(`${path}.new`, Buffer.concat(lines))
  renameSync(`${path}.new`, path)
  rmSync(join(store.dir, 'cache/snap'), { force: true })
  tally.fault()
  tally.count('hand edits')
  withLedger(store.dir, (ledger) => {
    const view = ledger.read()
    const missing = Array.from({ length: MAILS }, (_, i) => i).filter(
      (i) => view.get(`mail-${i}`)?.fields.body !== `body ${i} ${'x'.repeat(i * 3)}`,
    )
    const { tornLines, badLines } = view.damage
    tally.expect(
      missing.every((i) => gone.includes(i)),
      () => `${name}: mails ${missing} are missing, only ${gone} were touched`,
    )
    tally.expect(
      missing.length === 0 || tornLines + badLines > 0,
      () => `${name}: mail ${missing} is missing and nothing says so`,
    )
    tally.expectEqual(view.events().length, MAILS - missing.length, `${name}: events`)
    ledger.transact('human', () => ({ ops: [{ o: 'new', id: 'after', k: 'bead', f: {} }] }))
    tally.expect(ledger.read().get('after') !== undefined, () => `${name}: nothing can be written any more`)
  })
  store.warm.close()
  rmSync(store.dir, { recursive: true })
}

function linesOf(bytes: Buffer): Lines {
  const lines: Lines = []
  for (let from = 0; from < bytes.length; ) {
    const end = bytes.indexOf(NEWLINE, from)
    const next = end < 0 ? bytes.length : end + 1
    lines.push(Buffer.from(bytes.subarray(from, next)))
    from = next
  }
  return lines
}

/** What may happen to a cache. */
const SPOILERS: Record<string, (snap: string, random: Seeded, context: PhaseContext) => void> = {
  deleted: (snap) => rmSync(snap),
  'cut short': (snap, random) => truncateSync(snap, random.below(readFileSync(snap).length)),
  'a byte flipped': (snap, random) => flip(snap, random, 1),
  'a hundred bytes flipped': (snap, random) => flip(snap, random, 100),
  'made longer': (snap) => writeFileSync(snap, Buffer.concat([readFileSync(snap), Buffer.alloc(100)])),
  'zeros only': (snap) => writeFileSync(snap, Buffer.alloc(readFileSync(snap).length)),
  'of another store': (snap, _random, { folder }) => cpSync(join(folder, 'foreign/cache/snap'), snap),
  'a directory': (snap) => {
    rmSync(snap)
    mkdirSync(snap)
  },
}

function flip(path: string, random: Seeded, count: number): void {
  const bytes = readFileSync(path)
  for (let i = 0; i < count; i++) {
    const at = random.below(bytes.length)
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8))
  }
  writeFileSync(path, bytes)
}

function spoilSnapshot(context: PhaseContext, original: TortureStore, random: Seeded, trial: number): void {
  const { tally } = context
  const store = copyOf(context, original, `snap-${trial}`)
  const snap = join(store.dir, 'cache/snap')
  withLedger(store.dir, (ledger) => ledger.compactCache(true))
  if (trial === 0) cpSync(store.dir, join(context.folder, 'foreign'), { recursive: true })
  const isOlder = random.chance(0.5)
  // What is written now is in the log and not in the snapshot.
  if (isOlder) sendMails(store, MAILS, MAILS + 5)
  const name = random.pick(Object.keys(SPOILERS))
  SPOILERS[name]?.(snap, random, context)
  tally.fault()
  tally.count('snapshots spoiled')
  const what = `snapshot ${name}${isOlder ? ', and older than the log' : ''}`
  withLedger(store.dir, (ledger) => {
    const view = ledger.read()
    const count = isOlder ? MAILS + 5 : MAILS
    tally.expectEqual(view.count({ kind: 'mail' }), count, `${what}: count`)
    tally.expectEqual(view.list({ kind: 'mail' }).length, count, `${what}: list`)
    for (let i = 0; i < count; i++)
      tally.expect(view.get(`mail-${i}`) !== undefined, () => `${what}: mail-${i} is not found`)
    tally.expectEqual(view.events().length, count, `${what}: events`)
    tally.expect(view.get('nobody') === undefined, () => `${what}: something is found that never was`)
  })
  store.warm.close()
  rmSync(store.dir, { recursive: true })
}

function refusal(work: () => unknown): string {
  try {
    work()
    return 'nothing was refused'
  } catch (error) {
    return error instanceof GtError ? error.code : String(error)
  }
}

function newerFormat(context: PhaseContext, original: TortureStore): void {
  const { tally } = context
  const store = copyOf(context, original, 'newer')
  const head = encodeRecord('2026-11-20T09:00:00.000Z-0000-zzzzz-aaaaaa', 'gt', [{ o: 'head', format: 99 }])
  writeFileSync(join(store.log, segmentName('zzzzz', 1)), head)
  tally.fault()
  withLedger(store.dir, (ledger) => {
    tally.expectEqual(ledger.read().count({ kind: 'mail' }), MAILS, 'a newer format is read')
    const write = () => ledger.transact('human', () => ({ ops: [{ o: 'new', id: 'x', k: 'bead', f: {} }] }))
    tally.expectEqual(refusal(write), 'store-format', 'a newer format is not written')
  })
  store.warm.close()
}

async function locks({ tally, folder, ...context }: PhaseContext, original: TortureStore): Promise<void> {
  const store = copyOf({ tally, folder, ...context }, original, 'locks')
  sendMails(store, MAILS, MAILS + 3)
  const lock = join(store.dir, 'local/compact.lock')
  const holder = { pid: process.pid, host: hostName(), nonce: 'abcdef', at: new Date().toISOString() }
  const upkeep = openUpkeep(store.dir)
  const dead: Record<string, object | string> = {
    'of a process that is gone': { ...holder, pid: 2 ** 22 - 1, startTime: '1' },
    'of this pid, given to us after its holder died': { ...holder, startTime: '1' },
    'half written': '{"pid":',
    empty: '',
  }
  for (const [name, content] of Object.entries(dead)) {
    writeFileSync(lock, typeof content === 'string' ? content : JSON.stringify(content))
    tally.fault()
    const failed = await upkeep.compact().then(
      () => undefined,
      (error: unknown) => String(error),
    )
    tally.expect(failed === undefined, () => `a lock ${name} stops compaction: ${failed}`)
  }
  expectNoLitter(tally, store)
  await gitLocks(tally, store)
  store.warm.close()
}

/** What a git leaves that was killed, or lost its power, a while ago. */
async function gitLocks(tally: Tally, store: TortureStore): Promise<void> {
  const ledger = openLedger(store.dir)
  await ledger.commitHistory()
  const { clone = '' } = ledger
  for (const name of ['HEAD.lock', 'packed-refs.lock', `refs/heads/beads/${clone}.lock`]) {
    const lock = join(store.dir, '.git', name)
    const longAgo = new Date(Date.now() - 120_000)
    writeFileSync(lock, '')
    utimesSync(lock, longAgo, longAgo)
    ledger.transact('human', () => ({ ops: [{ o: 'ev', type: 'locked', data: { name } }] }))
    tally.fault()
    const failed = await ledger.commitHistory().then(
      () => undefined,
      (error: unknown) => String(error),
    )
    tally.expect(failed === undefined, () => `${name} of a killed git stops commits: ${failed}`)
  }
  ledger.close()
}

function hostName(): string {
  return readFileSync('/proc/sys/kernel/hostname', 'utf8').trim()
}

function expectNoLitter(tally: Tally, store: TortureStore): void {
  const left = readdirSync(storePaths(store.dir).local).filter((name) => name.startsWith('compact.lock'))
  tally.expectEqual(left, [], 'files left by locks')
}

/** Two places that write under one id would each take the other's lines for their own. */
function copies(context: PhaseContext, original: TortureStore): void {
  const { tally } = context
  const stores = [copyOf(context, original, 'copy-1'), copyOf(context, original, 'copy-2')]
  tally.fault(stores.length)
  const ids = [original, ...stores].map(({ dir }, i) =>
    withLedger(dir, (ledger) => {
      const id = `in-${i}`
      ledger.transact('human', () => ({ ops: [{ o: 'new', id, k: 'bead', f: {} }] }))
      return ledger.clone
    }),
  )
  tally.expectEqual(new Set(ids).size, ids.length, 'each copy writes under an id of its own')
  for (const { warm } of stores) warm.close()
}
