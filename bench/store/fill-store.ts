import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { createStore } from '../../src/store/create-store.js'
import { FORMAT, segmentName } from '../../src/store/layout.js'
import { openLedger } from '../../src/store/open-ledger.js'
import { encodeRecord, type LogOp } from '../../src/store/record-line.js'
import { Seeded } from '../../test/store/support/seeded.js'

const SEGMENT_BYTES = 256 * 1024
const DAY_MS = 86_400_000
/** Beads closed 90 days ago would rest in the archive. */
const FIRST_WRITTEN_DAYS_AGO = 60
const AGENTS = 30

export interface FilledStore {
  dir: string
  clone: string
}

/**
 * A store as a long-lived town has it: 60 % beads (half of them closed, a third with a dependency), 30 % mail, 10 %
 * events, about 1.9 records for each. Written straight into segments, because a hundred thousand appends take minutes.
 */
export async function fillStore(dir: string, count: number): Promise<FilledStore> {
  const { clone } = await createStore(dir, { sync: 'os' })
  const chain = new ChainWriter(join(dir, 'log'), clone)
  const random = new Seeded(count)
  for (let i = 0; i < AGENTS; i++)
    chain.write({ o: 'new', id: agentName(i), k: 'agent', f: { role: 'polecat' } })
  const beads: string[] = []
  for (let i = 0; i < count; i++) {
    const draw = random.next()
    if (draw < 0.6) addBead(chain, random, beads)
    else if (draw < 0.9) addMail(chain, random)
    else chain.write({ o: 'ev', type: 'agent.state', data: { agent: agentName(i % AGENTS), to: 'working' } })
  }
  hookOne(chain, beads)
  chain.flush()
  openLedger(dir, { sync: 'os' }).compactCache(true)
  return { dir, clone }
}

export function agentName(number: number): string {
  return `proj/agent-${number % AGENTS}`
}

function addBead(chain: ChainWriter, random: Seeded, beads: string[]): void {
  const id = `proj-${random.text(11)}`
  const f = {
    status: 'open',
    title: `bead ${beads.length} ${random.text(30)}`,
    priority: random.below(5),
    rig: 'proj',
  }
  chain.write({ o: 'new', id, k: 'bead', a: 5, f: { ...f, description: random.text(120) } })
  if (beads.length > 0 && random.chance(1 / 3))
    chain.write({ o: 'add', id, f: 'deps', x: [`blocks:${random.pick(beads)}`] })
  beads.push(id)
  if (!random.chance(0.5)) return
  const assignee = agentName(random.below(AGENTS))
  chain.write({ o: 'move', id, gen: 2, f: { status: 'hooked', assignee } })
  chain.write({ o: 'move', id, gen: 3, f: { status: 'closed', assignee } })
}

function addMail(chain: ChainWriter, random: Seeded): void {
  const id = `mail-${random.text(11)}`
  const assignee = agentName(random.below(AGENTS))
  const f = { status: 'unread', assignee, from: 'human', subject: random.text(20), body: random.text(200) }
  chain.write({ o: 'new', id, k: 'mail', a: 5, f })
  if (random.chance(0.9)) chain.write({ o: 'move', id, gen: 2, f: { status: 'shown', assignee } })
}

/** What `gt hook` of the first agent will find. */
function hookOne(chain: ChainWriter, beads: readonly string[]): void {
  const id = beads.at(-1) ?? 'none'
  chain.write(
    { o: 'move', id, gen: 9, f: { status: 'hooked', assignee: agentName(0) } },
    { o: 'move', id: agentName(0), gen: 2, f: { hook: id } },
  )
}

class ChainWriter {
  readonly #log: string
  readonly #clone: string
  #segment = 0
  #lines: Buffer[] = []
  #bytes = 0
  #serial = 0
  readonly #startMs = Date.now() - FIRST_WRITTEN_DAYS_AGO * DAY_MS

  constructor(log: string, clone: string) {
    this.#log = log
    this.#clone = clone
    this.#begin()
  }

  write(...ops: LogOp[]): void {
    this.#add(ops)
    if (this.#bytes <= SEGMENT_BYTES) return
    this.#add([{ o: 'seal' }])
    this.flush()
    this.#begin()
  }

  flush(): void {
    appendFileSync(join(this.#log, segmentName(this.#clone, this.#segment)), Buffer.concat(this.#lines))
    this.#lines = []
    this.#bytes = 0
  }

  #begin(): void {
    this.#segment++
    this.#add([{ o: 'head', format: FORMAT }])
  }

  #add(ops: readonly LogOp[]): void {
    const at = new Date(this.#startMs + ++this.#serial * 100).toISOString()
    const random = (this.#serial % 0xffffff).toString(16).padStart(6, '0')
    const line = encodeRecord(`${at}-0000-${this.#clone}-${random}`, 'human', ops)
    this.#lines.push(line)
    this.#bytes += line.length
  }
}
