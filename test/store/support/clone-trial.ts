import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { ConflictError } from '../../../src/domain/errors.js'
import type { Entity, Op } from '../../../src/domain/record.js'
import type { View } from '../../../src/ports/ledger.js'
import type { StoreLedger } from '../../../src/store/open-ledger.js'
import { type Published, TestClone } from './clones.js'
import { type Dump, dumpStore } from './dump.js'
import { Seeded } from './seeded.js'
import { canonical } from './trial.js'

export interface CloneTrial {
  clones: number
  writes: number
  /** Writes that another process overtook between looking and writing. */
  races: number
  deliveries: number
  compacted: number
  clockJumps: number
  failure?: string
}

const IDS = ['issue-1', 'issue-2', 'proj-aaaaa111111', 'proj-aaaaa222222', 'proj-bbbbb333333']
const FIELDS = ['title', 'notes', 'hook']
const STATUSES = ['open', 'hooked', 'closed']
const LABELS = ['red', 'blue']
const FAR_FUTURE_MS = Date.parse('2099-01-01T00:00:00.000Z')
const STEPS = 60

/**
 * Two to four real stores exchange files in any order while their processes write, race, read, make snapshots and compact,
 * with clocks that are wrong, jump, and for a while show the year 2099. Whatever a process was told it wrote must be what
 * it reads next, and in the end all stores must say the same.
 */
export async function tryClones(seed: number, folder: string): Promise<CloneTrial> {
  const trial = new Trial(seed, join(folder, `trial-${seed}`))
  try {
    await trial.run()
  } catch (error) {
    trial.result.failure ??= error instanceof Error ? (error.stack ?? error.message) : String(error)
  } finally {
    trial.end()
  }
  return trial.result
}

class Trial {
  readonly result: CloneTrial
  readonly #random: Seeded
  readonly #folder: string
  readonly #clones: TestClone[]
  /** What each clone published so far; and which of it each other clone has. */
  readonly #published = new Map<TestClone, Published[]>()
  readonly #received = new Map<string, number>()
  #now = Date.parse('2026-11-20T09:00:00.000Z')

  constructor(seed: number, folder: string) {
    this.#random = new Seeded(seed)
    this.#folder = folder
    const count = 2 + this.#random.below(3)
    this.#clones = Array.from(
      { length: count },
      (_, i) => new TestClone(join(folder, `clone-${i}`), () => this.#now),
    )
    for (const clone of this.#clones) clone.skewMs = this.#someSkew()
    this.result = { clones: count, writes: 0, races: 0, deliveries: 0, compacted: 0, clockJumps: 0 }
  }

  async run(): Promise<void> {
    for (const clone of this.#clones) this.#write(clone)
    for (let step = 0; step < STEPS; step++) {
      this.#now += this.#random.below(2000)
      await this.#step(this.#random.pick(this.#clones))
    }
    for (const clone of this.#clones) this.#publish(clone)
    for (const to of this.#clones)
      for (const from of this.#clones) this.#deliver(from, to, this.#published.get(from)?.length ?? 0)
    this.#expectOneState()
  }

  end(): void {
    for (const clone of this.#clones) clone.close()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  async #step(clone: TestClone): Promise<void> {
    const draw = this.#random.below(100)
    if (draw < 55) this.#write(clone)
    else if (draw < 65) this.#publish(clone)
    else if (draw < 80) this.#exchange(clone)
    else if (draw < 86) this.#random.pick(clone.ledgers).compactCache(true)
    else if (draw < 92) this.result.compacted += await clone.compact()
    else if (draw < 98) clone.skewMs = this.#someSkew()
    else this.#jump(clone)
  }

  #someSkew(): number {
    return this.#random.below(20_000) - 10_000
  }

  #jump(clone: TestClone): void {
    this.result.clockJumps++
    clone.skewMs = FAR_FUTURE_MS - this.#now
  }

  #publish(clone: TestClone): void {
    const versions = this.#published.get(clone) ?? []
    versions.push(clone.publish())
    this.#published.set(clone, versions)
  }

  #exchange(to: TestClone): void {
    const from = this.#random.pick(this.#clones)
    const count = this.#published.get(from)?.length ?? 0
    this.#deliver(from, to, this.#random.chance(0.5) ? count : this.#random.below(count + 1))
  }

  /** Never an older version than the one that is there: a branch only moves on. */
  #deliver(from: TestClone, to: TestClone, version: number): void {
    const key = `${from.clone} ${to.clone}`
    const published = this.#published.get(from)?.[version - 1]
    if (from === to || published === undefined || version <= (this.#received.get(key) ?? 0)) return
    this.#received.set(key, version)
    this.result.deliveries++
    to.receive(from.clone, published, () => {
      if (this.#random.chance(0.3)) this.#random.pick(to.ledgers).read()
    })
  }

  #write(clone: TestClone): void {
    const [ledger, other] = this.#random.chance(0.5) ? clone.ledgers : [clone.ledgers[1], clone.ledgers[0]]
    const id = this.#random.pick(IDS)
    const by = `rig/${clone.clone}`
    let shouldRace = this.#random.chance(0.2)
    let written: Op[] = []
    const ops = (view: View) => [this.#someOp(view, id), { o: 'ev' as const, type: 'wrote', data: {} }]
    try {
      ledger.transact(by, (view) => {
        if (shouldRace && view.get(id) !== undefined) {
          shouldRace = false
          this.result.races++
          other.transact(by, (theirs) => ({ ops: [moveOf(theirs.get(id), 'raced')] }))
        }
        written = ops(view)
        return { ops: written }
      })
    } catch (error) {
      // An id is not given twice, not even after its bearer is gone.
      if (error instanceof ConflictError && error.code === 'id-used') return
      throw error
    }
    this.result.writes++
    for (const reader of [ledger, other]) this.#expectEffect(reader, id, written)
    if (this.#random.chance(0.15)) this.#expectColdEffect(clone, id, written)
  }

  #someOp(view: View, id: string): Op {
    const { below, pick } = bound(this.#random)
    const entity = view.get(id)
    if (entity === undefined) {
      const f = { status: 'open', title: this.#random.text(3) }
      return { o: 'new', id, k: 'bead', ...(id.startsWith('proj-') ? { a: 5 } : {}), f }
    }
    switch (below(8)) {
      case 0:
      case 1:
      case 2:
        return moveOf(entity, pick(STATUSES))
      case 3:
      case 4:
        return { o: 'set', id, f: { [pick(FIELDS)]: below(5) === 0 ? null : this.#random.text(3) } }
      case 5:
        return { o: below(3) > 0 ? 'add' : 'del', id, f: 'labels', x: [pick(LABELS)] }
      case 6:
        return below(12) === 0 ? { o: 'gone', id } : { o: 'say', id, x: this.#random.text(6) }
      default:
        return { o: 'say', id, x: this.#random.text(6) }
    }
  }

  #expectColdEffect(clone: TestClone, id: string, written: readonly Op[]): void {
    const ledger = clone.open()
    try {
      this.#expectEffect(ledger, id, written)
    } finally {
      ledger.close()
    }
  }

  #expectEffect(ledger: StoreLedger, id: string, written: readonly Op[]): void {
    const view = ledger.read()
    for (const op of written) {
      const missing = missingEffect(op, view.get(id), view)
      if (missing !== undefined)
        throw new Error(`${JSON.stringify(op)} was written without effect: ${missing}`)
    }
  }

  #expectOneState(): void {
    let first: string | undefined
    for (const [i, { dir, ledgers }] of this.#clones.entries()) {
      for (const source of ['log only', 'with snapshot'] as const) {
        const state = this.#stateOf(dumpStore(dir, source))
        first ??= state
        if (state !== first) throw new Error(`clone ${i}, ${source}: ${state}\nis not\n${first}`)
      }
      const view = ledgers[0].read()
      const cold = this.#clones[i]?.open()
      for (const id of IDS) {
        const [warm, fresh] = [view.get(id), cold?.read().get(id)].map(canonical)
        if (warm !== fresh) throw new Error(`clone ${i}, long-lived: ${warm}\nis not\n${fresh}`)
      }
      cold?.close()
    }
  }

  /** A clock in 2099 that compacts ends the 14 days of events early; nothing else may depend on it. */
  #stateOf({ entities, shown, events }: Dump): string {
    return JSON.stringify({ entities, shown, events: this.result.clockJumps > 0 ? [] : events })
  }
}

function moveOf(entity: Entity | undefined, status: string): Op {
  if (entity === undefined) throw new Error('it was there a moment ago')
  return { o: 'move', id: entity.id, gen: entity.generation + 1, f: { status, assignee: `${status}-er` } }
}

/** @returns what is wrong; undefined when the op shows */
function missingEffect(op: Op, entity: Entity | undefined, view: View): string | undefined {
  if (op.o === 'ev') return undefined
  if (op.o === 'gone') return entity === undefined ? undefined : 'it is still there'
  if (entity === undefined) return 'the entity is not there'
  if (op.o === 'move' && (entity.generation !== op.gen || entity.fields.status !== op.f.status))
    return `generation ${entity.generation}, status ${entity.fields.status}`
  if (op.o === 'set') {
    const wrong = Object.entries(op.f).find(([field, value]) => (entity.fields[field] ?? null) !== value)
    if (wrong !== undefined) return `${wrong[0]} is ${entity.fields[wrong[0]]}`
  }
  if (op.o === 'add' || op.o === 'del') {
    const has = op.x.every((element) => entity.sets[op.f]?.includes(element) === true)
    if (has !== (op.o === 'add')) return `${op.f} are ${entity.sets[op.f]}`
  }
  if (op.o === 'say' && view.comments(op.id).filter(({ text }) => text === op.x).length !== 1)
    return 'the comment is not there once'
  return undefined
}

function bound(random: Seeded) {
  return {
    below: (limit: number) => random.below(limit),
    pick: <T>(items: readonly T[]) => random.pick(items),
  }
}
