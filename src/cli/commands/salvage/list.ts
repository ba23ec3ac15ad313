import { defineCommand, textOption } from '../../command.js'
import { plain, table } from '../../table.js'

export default defineCommand({
  name: 'salvage list',
  group: 'town',
  summary: 'list the trees that were saved before something was deleted',
  options: [{ flags: '--rig <rig>', about: 'only of this rig' }],
  examples: ['gt salvage list', 'git -C CLONE checkout -b rescued REF'],
  async run(context, _args, options) {
    const { getRig } = await import('../../../app/find-entity.js')
    const town = await context.town()
    const repositories = await town.repositories()
    const named = textOption(options, 'rig')
    const rigs = named === undefined ? Object.values(town.config.rigs) : [getRig(town, named)]
    const salvage = []
    for (const rig of rigs) {
      for (const saved of await repositories.listSalvage(rig)) salvage.push({ rig: rig.name, ...saved })
    }
    const rows = salvage.map((saved) => [saved.rig, saved.at, saved.ref, plain(saved.subject, 80)])
    return {
      data: { salvage },
      text: salvage.length === 0 ? 'nothing was salvaged' : table(rows, ['RIG', 'AT', 'REF', 'WHY']),
    }
  },
})
