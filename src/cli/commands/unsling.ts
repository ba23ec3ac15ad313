import { defineCommand } from '../command.js'

export default defineCommand({
  name: 'unsling',
  group: 'work',
  summary: 'take beads back from their agents; trees are saved before they go',
  args: [{ name: 'bead', about: 'beads', required: true, many: true }],
  options: [{ flags: '--dry-run', about: 'only say what would be done' }],
  examples: ['gt unsling issue-123'],
  async run(context, args, options) {
    const { unslingWork } = await import('../../app/unsling-work.js')
    const { kickPools } = await import('../../app/run-pools.js')
    const { getBead } = await import('../../app/find-entity.js')
    const town = await context.town()
    const beads = args.list(0)
    if (options.dryRun === true) {
      const found = beads.map((typed) => getBead(town.ledger.read(), typed))
      return {
        data: {
          dryRun: true,
          beads: found.map((bead) => ({ id: bead.shownId, agent: bead.assignee ?? null })),
        },
        text: found.map(
          (bead) =>
            `would take ${bead.shownId} from ${bead.assignee ?? 'nobody'}: end its session, save and remove its worktree, open the bead again`,
        ),
      }
    }
    const done = []
    for (const typed of beads) done.push(await unslingWork(town, typed))
    await kickPools(town, true)
    return {
      data: { unslung: done },
      text: done.map(
        (one) =>
          `${one.bead} is open again, ${one.agent} is free${one.salvage === undefined ? '' : `; its tree is saved: ${one.salvage}`}`,
      ),
    }
  },
})
