import { defineCommand, textOption } from '../command.js'
import { readText } from '../read-text.js'
import { renderError } from '../render-error.js'

export default defineCommand({
  name: 'broadcast',
  group: 'talk',
  summary: 'nudge every agent that runs, each with its own receipt',
  about: 'Exit code 1 when it could not be proven to have reached all of them; those are named.',
  args: [{ name: 'text', about: 'what (at most 4 KB)', many: true }],
  options: [
    { flags: '-m, --message <text>', about: 'the text; - reads standard input' },
    { flags: '--rig <rig>', about: 'only agents of this rig' },
    { flags: '--role <role>', about: 'only agents of this role' },
  ],
  examples: ['gt broadcast "main moved: rebase before you hand in"', 'gt broadcast "stop" --rig proj'],
  async run(context, args, options) {
    const { broadcast } = await import('../../app/broadcast.js')
    const { getRig } = await import('../../app/find-entity.js')
    const { pick } = await import('../../app/choose-runtime.js')
    const text = (await readText(context.io, textOption(options, 'message') ?? args.optional(0))) ?? ''
    const town = await context.town()
    const rig = textOption(options, 'rig')
    const role = textOption(options, 'role')
    const outcome = await broadcast(town, text, {
      ...(rig === undefined ? {} : { rig: getRig(town, rig).name }),
      ...(role === undefined ? {} : { role: pick(town.config.roles, role, 'role').name }),
    })
    for (const { error } of outcome.failed) context.note(renderError(error, false).text.trimEnd())
    return {
      data: {
        told: outcome.told,
        failed: outcome.failed.map(({ agent, error }) => ({
          agent,
          code: error.code,
          message: error.message,
        })),
      },
      text: outcome.told.map(({ agent, receipt }) => `${receipt.kind} by ${agent}`),
      exitCode: outcome.failed.length > 0 ? 1 : 0,
    }
  },
})
