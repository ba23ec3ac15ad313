import { defineCommand, listOption, textOption } from '../command.js'
import { parseDuration } from '../parse-values.js'

export default defineCommand({
  name: 'wait',
  group: 'agents',
  summary: 'wait until beads or convoys are closed, or agents at rest',
  about:
    'Exit code 0 when all of it has come, 7 after the time-out, 1 as soon as it cannot come any more. An agent is at rest when ' +
    'it is idle, waiting, limited, done, stopped or failed; --for names other states.',
  args: [{ name: 'what', about: 'beads, convoys, agents', required: true, many: true }],
  options: [
    { flags: '--for <state>', about: 'wait for this state instead', many: true },
    { flags: '--timeout <duration>', about: 'give up after this, like 90s, 10m, 2h (default: never)' },
  ],
  examples: [
    'gt wait issue-123 --timeout 1h',
    'gt wait toast --for waiting',
    'gt wait cv-atqek && echo released',
  ],
  async run(context, args, options) {
    const { awaitedBy, waitFor } = await import('../../app/wait-for.js')
    const timeoutMs = parseDuration(textOption(options, 'timeout'), '--timeout')
    const town = await context.town()
    const awaited = awaitedBy(town.ledger.read(), args.list(0), listOption(options, 'for'))
    const standings = await waitFor(town, awaited, {
      signal: context.io.signal,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    })
    return { data: { standings }, text: standings.map(({ id, state }) => `${id} is ${state}`) }
  },
})
