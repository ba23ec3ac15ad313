import { OperationError } from '../../domain/errors.js'
import { defineCommand } from '../command.js'
import { shellLine } from '../shell-line.js'

export default defineCommand({
  name: 'attach',
  group: 'talk',
  summary: 'get in front of an agent; leave with Ctrl-b d, it works on',
  args: [{ name: 'agent', about: 'whom', required: true }],
  options: [{ flags: '--print', about: 'only print the command, for a terminal of your own' }],
  examples: ['gt attach toast', 'gt attach toast --print'],
  async run(context, args, options) {
    const { getAgent } = await import('../../app/find-entity.js')
    const town = await context.town()
    const agent = getAgent(town.ledger.read(), args.text(0))
    const orchestrator = await town.orchestrator()
    const isPrinted = options.print === true || context.json
    if (!isPrinted && !context.io.stdout.isTTY) {
      // Whether there is anything to attach to comes first.
      await orchestrator.get(agent.id)
      throw new OperationError('attaching needs a terminal', {
        code: 'no-terminal',
        hint: `gt attach ${args.text(0)} --print shows the command`,
      })
    }
    // A server session gets its window only now.
    const { argv } = await orchestrator.attachCommand(agent.id)
    if (isPrinted) return { data: { agent: agent.id, argv }, text: shellLine(argv) }
    const { runInTerminal } = await import('../../system/run-in-terminal.js')
    return { data: { agent: agent.id }, exitCode: await runInTerminal(argv) }
  },
})
