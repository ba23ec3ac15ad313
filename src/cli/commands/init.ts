import { defineCommand, textOption } from '../command.js'

export default defineCommand({
  name: 'init',
  aliases: ['install'],
  group: 'set-up',
  summary: 'make a town: the folder that holds the beads and all rigs',
  args: [{ name: 'dir', about: 'its folder (default ~/gt)' }],
  options: [{ flags: '--name <name>', about: 'name of the town (default: that of the folder)' }],
  examples: ['gt init', 'gt init ~/towns/main --name main'],
  async run(context, args, options) {
    const { createTown } = await import('../../wire.js')
    const { defaultTown } = await import('../../config/locate-town.js')
    const { rigName } = await import('../../domain/ids.js')
    const { io } = context
    const given = args.optional(0) ?? context.townOption
    const dir =
      given === undefined
        ? (defaultTown(io.env) ?? `${io.cwd}/gt`)
        : (await import('node:path')).resolve(io.cwd, given)
    const name = textOption(options, 'name')
    if (name !== undefined) rigName(name)
    const root = await createTown({ dir, packageDir: io.packageDir, ...(name === undefined ? {} : { name }) })
    return {
      data: { town: root },
      text: [
        `made the town ${root}`,
        'next: gt rig add NAME URL|PATH · gt bead create "what to do" · gt sling BEAD NAME',
      ],
    }
  },
})
