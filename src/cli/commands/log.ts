import type { readLog } from '../../app/read-log.js'
import { describeOp } from '../../domain/describe-op.js'
import { defineCommand, textOption } from '../command.js'
import { parseSince } from '../parse-since.js'
import { parseCount } from '../parse-values.js'
import { plain } from '../table.js'

export default defineCommand({
  name: 'log',
  group: 'town',
  summary: 'show the records of the log itself, newest first',
  about:
    'What was asked for, by whom, in which clone; whether it counts is in gt bead history. What compaction replaced is one line.',
  options: [
    { flags: '-n, --limit <n>', about: 'at most so many (default 30)' },
    { flags: '--since <when>', about: 'only later ones: 90m, 2h, 3d, or a time' },
    { flags: '--until <when>', about: 'only earlier ones' },
    { flags: '--by <who>', about: 'only written by this agent, or human' },
    { flags: '--bead <bead>', about: 'only those that name this bead' },
  ],
  readsOnly: true,
  examples: ['gt log', 'gt log --by proj/toast --since 1h', 'gt log --bead issue-123 --json'],
  async run(context, _args, options) {
    const { readLog: read } = await import('../../app/read-log.js')
    const town = await context.town()
    const now = town.clock.now()
    const since = parseSince(textOption(options, 'since'), '--since', now)
    const until = parseSince(textOption(options, 'until'), '--until', now)
    const [by, bead] = [textOption(options, 'by'), textOption(options, 'bead')]
    const records = await read(town, {
      limit: parseCount(textOption(options, 'limit'), '--limit', 1) ?? 30,
      ...(since === undefined ? {} : { since }),
      ...(until === undefined ? {} : { until }),
      ...(by === undefined ? {} : { by }),
      ...(bead === undefined ? {} : { bead }),
    })
    const view = town.ledger.read()
    const shownId = (key: string) => view.get(key)?.shownId ?? key
    const about = bead === undefined ? undefined : view.resolve('bead', bead)
    const key = about?.kind === 'found' ? about.entity.id : undefined
    const lines = records.flatMap((record) => recordLines(record, shownId, key))
    return { data: { records }, text: lines.length === 0 ? 'nothing is recorded' : lines }
  },
})

type LoggedRecord = Awaited<ReturnType<typeof readLog>>[number]

/** An import writes a hundred beads in one record. */
const SHOWN_OPS = 8

function recordLines(
  record: LoggedRecord,
  shownId: (key: string) => string,
  about: string | undefined,
): string[] {
  if (record.base !== undefined) {
    const { entities } = record.base
    return [
      `${record.at}  ${record.clone}  compacted: of all before, the outcome of ${entities} entities is left`,
    ]
  }
  const ops = record.ops.filter(
    (op) => about === undefined || JSON.stringify(op).includes(JSON.stringify(about)),
  )
  const texts = ops.slice(0, SHOWN_OPS).map((op) => plain(describeOp(op, shownId), 160))
  const more = record.ops.length - texts.length
  if (more > 0) texts.push(`and ${more} more`)
  const head = `${record.at}  ${record.clone}  ${plain(record.by, 40)}`
  return texts.map((text, i) => `${i === 0 ? head : ' '.repeat(head.length)}  ${text}`)
}
