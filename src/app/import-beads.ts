import { type LineProblem, parseLines, type ReadLine } from '../domain/bd/parse-lines.js'
import { planImport } from '../domain/bd/plan-import.js'
import type { ReadOptions } from '../domain/bd/read-issue.js'
import type { EntityParts } from '../domain/bd/shape.js'
import { findCircles } from '../domain/cycles.js'
import { targetsOf } from '../domain/dependency.js'
import { OperationError } from '../domain/errors.js'
import type { EntityKind, Op } from '../domain/record.js'
import type { View } from '../ports/ledger.js'
import type { Town } from './town.js'

export interface ImportOptions extends Omit<ReadOptions, 'nowMs'> {
  dryRun?: boolean
  /** Import the good lines although others are bad. */
  skipBad?: boolean
  onProgress?: (done: number, total: number) => void
}

export interface ImportReceipt {
  created: string[]
  updated: string[]
  unchanged: number
  /** Left as they are here, wholly or in part. */
  kept: LineProblem[]
  refused: LineProblem[]
  /** Beads that wait for others that are nowhere here: they are not ready until those come, or the tie is removed. */
  waiting: { id: string; missing: string[] }[]
  /** Records of other kinds in the file. */
  skipped: LineProblem[]
  dryRun: boolean
}

/** One record of the log takes this many: all or none of them survive a crash, and the next import goes on behind them. */
const BATCH_LINES = 100
const BATCH_BYTES = 128 * 1024

/**
 * Takes JSON lines of bd into the store. Repeating it changes nothing, so an interrupted import is finished by starting it again.
 * @throws OperationError code `bad-lines` naming each, when there are any and `skipBad` is not given; nothing is imported then
 */
export function importBeads(town: Town, text: string, options: ImportOptions): ImportReceipt {
  const { read, bad, others } = parseLines(text, { ...options, nowMs: town.clock.now() })
  const view = town.ledger.read()
  const refused = [...bad, ...foreignKinds(view, read), ...circular(view, read)].sort(
    (a, b) => a.line - b.line,
  )
  if (refused.length > 0 && options.skipBad !== true) throw badLines(refused)
  const isRefused = new Set(refused.map(({ line }) => line))
  const lines = read.filter(({ line }) => !isRefused.has(line))
  const receipt: ImportReceipt = {
    created: [],
    updated: [],
    unchanged: 0,
    kept: [],
    refused,
    skipped: others,
    waiting: [],
    dryRun: options.dryRun === true,
  }
  let done = 0
  for (const batch of batches(lines)) {
    importBatch(town, batch, receipt)
    town.step('import.batch')
    done += batch.length
    options.onProgress?.(done, lines.length)
  }
  receipt.waiting = waitingForUnknown(town.ledger.read(), lines)
  return receipt
}

function waitingForUnknown(view: View, lines: readonly ReadLine[]): ImportReceipt['waiting'] {
  const inFile = new Set(lines.map(({ incoming }) => incoming.id))
  return lines.flatMap(({ incoming: { id, deps, isGone, status } }) => {
    if (isGone || status === 'closed') return []
    const missing = targetsOf(deps, 'blocks').filter(
      (key) => !inFile.has(key) && view.statusOf(key) === undefined,
    )
    return missing.length === 0 ? [] : [{ id, missing }]
  })
}

function* batches(lines: readonly ReadLine[]): Iterable<ReadLine[]> {
  let batch: ReadLine[] = []
  let bytes = 0
  for (const line of lines) {
    const size = JSON.stringify(line.incoming.issue).length
    if (batch.length >= BATCH_LINES || (batch.length > 0 && bytes + size > BATCH_BYTES)) {
      yield batch
      batch = []
      bytes = 0
    }
    batch.push(line)
    bytes += size
  }
  if (batch.length > 0) yield batch
}

function importBatch(town: Town, batch: readonly ReadLine[], receipt: ImportReceipt): void {
  const decide = (view: View) => {
    const plans = batch.map((line) => ({
      ...line,
      plan: planImport(line.incoming, existing(view, line.incoming.id)),
    }))
    const ops = plans.flatMap(({ plan }): Op[] => ('ops' in plan ? plan.ops : []))
    return { plans, ops }
  }
  const { plans } = receipt.dryRun ? decide(town.ledger.read()) : town.ledger.transact(town.actor, decide)
  for (const { line, incoming, plan } of plans) {
    const { id } = incoming
    if (plan.kind === 'unchanged') receipt.unchanged++
    else if (plan.kind === 'kept' || plan.kind === 'refused')
      receipt[plan.kind].push({ line, id, why: plan.why })
    else {
      receipt[plan.kind].push(id)
      if (plan.kept.length > 0)
        receipt.kept.push({ line, id, why: `changed here since: ${plan.kept.join(', ')}` })
    }
  }
}

function existing(view: View, id: string): { parts?: EntityParts; goneAt?: string } {
  const times = view.times(id)
  if (times === undefined) return {}
  if (times.goneAt !== undefined) return { goneAt: times.goneAt }
  const entity = view.get(id)
  return entity === undefined ? {} : { parts: { entity, times, comments: view.comments(id) } }
}

/** Said before anything is written, although only the write itself can be sure. */
function foreignKinds(view: View, read: readonly ReadLine[]): LineProblem[] {
  return read.flatMap(({ line, incoming: { id, kind } }) => {
    const here: EntityKind | undefined = view.get(id)?.kind
    return here === undefined || here === kind ? [] : [{ line, id, why: `${id} is the id of a ${here} here` }]
  })
}

const ORDERING_TYPES = ['blocks', 'parent-child']

/** Lines that would close a circle of waiting or of parents: nothing on it could ever be ready. */
function circular(view: View, read: readonly ReadLine[]): LineProblem[] {
  const lineOf = new Map(read.map((one) => [one.incoming.id, one]))
  return ORDERING_TYPES.flatMap((type) => {
    const next = (key: string): string[] => {
      const deps = lineOf.get(key)?.incoming.deps ?? view.get(key)?.sets.deps ?? []
      return deps.filter((dep) => dep.startsWith(`${type}:`)).map((dep) => dep.slice(type.length + 1))
    }
    return findCircles(lineOf.keys(), next).flatMap((circle) =>
      circle.flatMap((id) => {
        const line = lineOf.get(id)?.line
        return line === undefined ? [] : [{ line, id, why: `a circle of ${type}: ${circle.join(', ')}` }]
      }),
    )
  })
}

const SHOWN_PROBLEMS = 20

function badLines(problems: readonly LineProblem[]): OperationError {
  const shown = problems.slice(0, SHOWN_PROBLEMS).map(({ line, why }) => `  line ${line}: ${why}`)
  if (problems.length > shown.length) shown.push(`  and ${problems.length - shown.length} more`)
  const count = problems.length === 1 ? 'a line' : `${problems.length} lines`
  return new OperationError(`nothing was imported: ${count} cannot be taken\n${shown.join('\n')}`, {
    code: 'bad-lines',
    hint: 'mend them, or leave them out with --skip-bad',
    details: { refused: problems },
  })
}
