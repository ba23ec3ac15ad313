import { defineCommand } from '../../command.js'
import { plain, table } from '../../table.js'

export default defineCommand({
  name: 'store clones',
  group: 'town',
  summary: 'list the machines whose records are here',
  examples: ['gt store clones', 'gt store clones --json'],
  readsOnly: true,
  async run(context) {
    const { listMachines } = await import('../../../app/list-machines.js')
    const machines = await listMachines(await context.town())
    return {
      data: { clones: machines },
      text: table(
        machines.map((one) => [
          one.clone,
          one.kind === 'other' ? '' : one.kind === 'own' ? 'this one' : 'this one, before',
          plain(one.host ?? '-'),
          one.lastRecordAt ?? '-',
          String(one.bytes),
        ]),
        ['CLONE', '', 'HOST', 'LAST RECORD', 'BYTES'],
      ),
    }
  },
})
