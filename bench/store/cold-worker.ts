import { readyBeads } from '../../src/app/list-beads.js'
import { openLedger, type StoreLedger } from '../../src/store/open-ledger.js'

/** What a new process does with the store, once. Prints the milliseconds since its first line ran. */
export type ColdTask =
  | 'load'
  | 'open'
  | 'count'
  | 'hook'
  | 'inbox'
  | 'ready'
  | 'append'
  | 'claim'
  | 'fold'
  | 'snapshot'

declare const firstLine: bigint

const [dir = '', task = 'hook', agent = '', turn = '0'] = process.argv.slice(2)

const TASKS: Record<ColdTask, (ledger: StoreLedger) => unknown> = {
  load: () => 0,
  open: (ledger) => ledger.read(),
  count: (ledger) => ledger.read().count({ kind: 'bead', status: 'open' }),
  hook: (ledger) => {
    const view = ledger.read()
    return view.get(String(view.get(agent)?.fields.hook))?.fields.title
  },
  inbox: (ledger) => ledger.read().list({ kind: 'mail', assignee: agent, status: 'unread' }).length,
  ready: (ledger) => readyBeads(ledger.read(), Date.now()).length,
  append: (ledger) => ledger.transact('human', () => ({ ops: [{ o: 'ev', type: 'bench', data: { turn } }] })),
  claim: (ledger) =>
    ledger.transact(agent, (view) => {
      const bead = view.get(`cold-${turn}`)
      if (bead?.fields.status !== 'open') throw new Error(`cold-${turn} is not open`)
      return { ops: [{ o: 'move', id: bead.id, gen: 2, f: { status: 'hooked', assignee: agent } }] }
    }),
  // The caller deleted the snapshot.
  fold: (ledger) => ledger.read(),
  snapshot: (ledger) => ledger.compactCache(true),
}

const answer = TASKS[task as ColdTask](openLedger(dir))
const ms = Number(process.hrtime.bigint() - firstLine) / 1e6
if (answer === undefined && task === 'hook') throw new Error('nothing on the hook')
process.stdout.write(`${ms}\n`)
