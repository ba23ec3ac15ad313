import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { GtError } from '../../src/domain/errors.js'
import { openLedger } from '../../src/store/open-ledger.js'
import { mend, problems } from './support/doctor.js'
import { dumpStore } from './support/dump.js'
import { Seeded } from './support/seeded.js'
import { type TempStore, tempStore, transact } from './support/temp-store.js'

/** GT_FUZZ_TRIALS=500 for the long run: a minute and more. */
const TRIALS = Number(process.env.GT_FUZZ_TRIALS ?? 100)
/** Each takes seconds of git; the looking is what must be done every time. */
const MEND_EVERY = 4

/** Everything a store can hold, in several segments, committed and with a cache. */
async function realStore(): Promise<TempStore> {
  const store = await tempStore({ segmentLimitBytes: 2500 })
  const ledger = store.open()
  for (let i = 0; i < 16; i++) {
    const id = i % 2 === 0 ? `b-${i}` : `proj-${'abcde'.repeat(2)}${i.toString(36)}`.slice(0, 16)
    transact(ledger, () => [
      {
        o: 'new',
        id,
        k: i % 3 === 0 ? 'mail' : 'bead',
        ...(i % 2 ? { a: 5 } : {}),
        f: { title: `title ${i}`, status: 'open' },
      },
      { o: 'ev', type: 'made', data: { n: i } },
    ])
    transact(ledger, () => [{ o: 'move', id, gen: 2, f: { status: 'hooked', assignee: `p/a${i % 3}` } }])
    transact(ledger, () => [
      { o: 'add', id, f: 'labels', x: ['red', `l${i}`] },
      { o: 'say', id, x: `word ${i}` },
    ])
    if (i % 4 === 1)
      transact(ledger, () => [{ o: 'move', id, gen: 3, f: { status: 'closed', assignee: null } }])
    if (i % 5 === 2) transact(ledger, () => [{ o: 'say', id, x: `${i}`.repeat(40_000) }])
  }
  await ledger.commitHistory()
  ledger.compactCache(true)
  ledger.close()
  return store
}

/** All that anybody can see of it; an error in words counts as seen. */
function visible(dir: string): unknown {
  const parts: unknown[] = []
  for (const source of ['with snapshot', 'log only'] as const) {
    parts.push(
      attempt(() => {
        const { damage: _, ...dump } = dumpStore(dir, source)
        return dump
      }),
    )
  }
  parts.push(
    attempt(() => {
      const ledger = openLedger(dir, { sync: 'os' })
      try {
        const view = ledger.read()
        const entities = (['bead', 'mail'] as const).flatMap((kind) => view.list({ kind }))
        return entities.map((entity) => [entity, view.comments(entity.id)])
      } finally {
        ledger.close()
      }
    }),
  )
  return parts
}

function attempt(look: () => unknown): unknown {
  try {
    return look()
  } catch (error) {
    if (error instanceof GtError && error.exitCode !== 70) return `refused: ${error.code}`
    // dumpStore is no surface: the file system's own errors pass through it.
    if (error instanceof Error && 'code' in error) return `refused: ${String(error.code)}`
    throw error
  }
}

function filesBelow(dir: string): string[] {
  return readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .map((name) => join(dir, name))
    .filter((path) => statSync(path).isFile() && statSync(path).size > 0)
    .sort()
}

const FOLDERS = ['log', 'log', 'log', 'log', 'log', 'log', 'blob', 'cache', 'local', '.git']

/** @returns what was done */
function corrupt(dir: string, random: Seeded): string {
  const folder = random.pick(FOLDERS)
  const path = random.pick(filesBelow(join(dir, folder)))
  let bytes = readFileSync(path)
  const done: string[] = []
  for (let n = 1 + random.below(3); n > 0; n--) {
    const at = random.below(bytes.length + 1)
    const kind = random.pick(['flip', 'flip', 'insert', 'delete', 'cut'] as const)
    const noise = Buffer.from(
      Array.from({ length: 1 + random.below(random.chance(0.2) ? 300 : 4) }, () => random.below(256)),
    )
    done.push(`${kind} ${at}`)
    if (kind === 'flip' && at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8))
    else if (kind === 'insert') bytes = Buffer.concat([bytes.subarray(0, at), noise, bytes.subarray(at)])
    else if (kind === 'delete')
      bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + noise.length)])
    else if (kind === 'cut' && random.chance(0.3)) bytes = Buffer.from(bytes.subarray(0, at))
  }
  writeFileSync(path, bytes)
  return `${path.slice(dir.length + 1)}: ${done.join(', ')}`
}

describe('a store with random bytes changed', () => {
  it(`is never met with a crash or with silence, ${TRIALS} times; what history holds comes back`, {
    timeout: 1_800_000,
  }, async () => {
    await using store = await realStore()
    const pristine = mkdtempSync(join(tmpdir(), 'gt-pristine-'))
    cpSync(store.dir, pristine, { recursive: true })
    const whole = visible(store.dir)
    expect(await problems(store.dir)).toEqual([])
    const random = new Seeded(20261121)
    const seen = { effects: 0, found: 0, mended: 0 }
    for (let trial = 0; trial < TRIALS; trial++) {
      const done = `trial ${trial}, ${corrupt(store.dir, random)}`
      const hasEffect = JSON.stringify(visible(store.dir)) !== JSON.stringify(whole)
      const found = await problems(store.dir).catch((error: unknown) => {
        throw new Error(done, { cause: error })
      })
      if (hasEffect) seen.effects++
      if (found.length > 0) seen.found++
      if (hasEffect && found.length === 0) expect.fail(`silent: ${done}`)
      if (found.length > 0 && trial % MEND_EVERY === 0) {
        const mended = await mend(store.dir).catch((error: unknown) => {
          throw new Error(`mending ${done}`, { cause: error })
        })
        expect(await problems(store.dir), `${done} ${JSON.stringify(mended)}`).toEqual([])
        expect(visible(store.dir), done).toEqual(whole)
        seen.mended++
      }
      restore(store.dir, pristine)
    }
    rmSync(pristine, { recursive: true, force: true })
    console.log(
      `${TRIALS} corruptions: ${seen.effects} with an effect, ${seen.found} found, ${seen.mended} mended`,
    )
    expect(seen.effects).toBeGreaterThan(TRIALS / 5)
    expect(seen.mended).toBeGreaterThan(TRIALS / 20)
  })
})

/** Into the same directory: another inode would be another place. */
function restore(dir: string, pristine: string): void {
  for (const name of readdirSync(dir)) rmSync(join(dir, name), { recursive: true, force: true })
  expect(existsSync(join(dir, 'log'))).toBe(false)
  cpSync(pristine, dir, { recursive: true })
}
