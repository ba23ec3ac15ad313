import { defineCommand } from '../../command.js'
import { plain, plainLines } from '../../table.js'

export default defineCommand({
  name: 'mq show',
  group: 'work',
  summary: 'show an entry of the merge queue with its evidence',
  args: [{ name: 'entry', about: 'id, or a bead', required: true }],
  examples: ['gt mq show mq-4k7q2', 'gt mq show issue-123'],
  async run(context, args) {
    const { getMergeOf } = await import('../../../app/find-entity.js')
    const merge = getMergeOf((await context.town()).ledger.read(), args.text(0))
    return {
      data: { merge },
      text: [
        `${merge.shownId}  ${merge.status}  ${merge.bead} from ${merge.agent}`,
        `  ${merge.branch} (${merge.head.slice(0, 10)}) → ${merge.target} of ${merge.rig} · tried ${merge.attempts} times · ${merge.createdAt}`,
        ...(merge.mergedAs === undefined ? [] : [`  merged as ${merge.mergedAs}`]),
        ...(merge.reason === undefined ? [] : [`  ${plain(merge.reason, 400)}`]),
        ...(merge.evidence === undefined ? [] : ['', plainLines(merge.evidence)]),
      ],
    }
  },
})
