import { defineCommand, listOption, textOption } from '../../command.js'

export default defineCommand({
  name: 'rig add',
  aliases: ['project add'],
  group: 'set-up',
  summary: 'put a git repository under management, by URL or by the path of your clone',
  about:
    'A URL gets a bare clone in the town. A path attaches worktrees to the clone that you have and never disturbs its working tree.',
  args: [
    { name: 'name', about: 'what the rig is called', required: true },
    { name: 'from', about: 'URL, or path of a clone', required: true },
  ],
  options: [
    {
      flags: '--branch <branch>',
      about: "where work lands (default: the remote's default branch, or the one checked out)",
    },
    { flags: '--prefix <letters>', about: 'prefix of bead ids (default: from the name)' },
    { flags: '--gate <command>', about: 'must pass before anything lands; may be repeated', many: true },
  ],
  examples: ['gt rig add proj https://example.org/proj.git --gate "npm test"', 'gt rig add proj ~/src/proj'],
  async run(context, args, options) {
    const { addRig } = await import('../../../app/add-rig.js')
    const branch = textOption(options, 'branch')
    const prefix = textOption(options, 'prefix')
    const rig = await addRig(await context.town(), {
      name: args.text(0),
      from: args.text(1),
      gates: listOption(options, 'gate'),
      cwd: context.io.cwd,
      ...(branch === undefined ? {} : { branch }),
      ...(prefix === undefined ? {} : { prefix }),
    })
    const where = rig.source.kind === 'url' ? rig.source.url : rig.source.path
    const gates =
      rig.gates.length === 0
        ? ['no gates yet: add [[rigs.NAME.gates]] to town.toml, or nothing is checked before it lands']
        : []
    return { data: { rig }, text: [`rig ${rig.name}: ${where}, lands on ${rig.branch}`, ...gates] }
  },
})
