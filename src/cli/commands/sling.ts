import { UsageError } from '../../domain/errors.js'
import { defineCommand, textOption } from '../command.js'
import { backendOption, fallbackLine } from '../parse-backend.js'
import { renderError } from '../render-error.js'

export default defineCommand({
  name: 'sling',
  group: 'work',
  summary: 'hand work to agents: claim, worktree, branch, context, session',
  about:
    'WORK is one or more beads, a convoy, or a quoted sentence (a bead is made of it); the last word may be the rig. ' +
    'Inside a clone that no town knows, that clone becomes a rig of ~/gt. Each bead gets an agent of its own; on any failure everything is undone and said.',
  args: [{ name: 'work', about: 'beads, a convoy or a sentence; then the rig', required: true, many: true }],
  options: [
    {
      flags: '--agent <runtime>',
      about: 'runtime: opencode or one of town.toml (default: that of the role, rig or town)',
    },
    { flags: '--name <name>', about: 'name of the agent (default: the next free one)' },
    { flags: '--role <role>', about: 'role of the agent (default: polecat)' },
    {
      flags: '--backend <backend>',
      about:
        'tmux, opencode (a session on a server) or hybrid (by the runtime); default: that of the role, rig or town',
    },
    { flags: '--model <model>', about: 'model, in the words of the runtime' },
    { flags: '--args <text>', about: 'said to the agent after its first prompt' },
    { flags: '--base <branch>', about: 'start from this branch instead of the target' },
    { flags: '--dry-run', about: 'only say what would be done' },
  ],
  examples: [
    'gt sling issue-123 proj --agent opencode',
    'gt sling issue-1 issue-2 issue-3 proj',
    'gt sling "make the tests faster" proj --dry-run',
  ],
  async run(context, args, options) {
    const { resolveWork } = await import('../resolve-work.js')
    const { planSling, slingWork } = await import('../../app/sling-work.js')
    const chosen = (key: string, option: string) => {
      const value = textOption(options, option)
      return value === undefined ? {} : { [key]: value }
    }
    const wishes = {
      ...chosen('runtime', 'agent'),
      ...chosen('name', 'name'),
      ...chosen('role', 'role'),
      ...chosen('model', 'model'),
      ...chosen('args', 'args'),
      ...chosen('base', 'base'),
      ...backendOption(options),
    }
    const { town, beads, rig } = await resolveWork(context, args.list(0), options.dryRun === true, wishes)
    const request = { beads, rig, ...wishes }
    if (beads.length > 1 && 'name' in request) {
      throw new UsageError('--name fits only one bead', {
        code: 'name-for-many',
        hint: 'leave it out, or sling them one by one',
      })
    }
    if (options.dryRun === true) {
      const plans = await planSling(town, request)
      return {
        data: { dryRun: true, plans: plans.map((plan) => ({ ...plan, bead: plan.bead.shownId })) },
        text: plans.map(
          (plan) =>
            `would sling ${plan.bead.shownId} to ${plan.agent}: branch ${plan.branch} from ${plan.base.slice(0, 10)}, worktree ${plan.worktree}`,
        ),
      }
    }
    const outcome = await slingWork(town, request)
    if (town.config.fallback === 'ask' && outcome.failed.length > 0) {
      const { askForFallback } = await import('../ask-fallback.js')
      const inTmux = await askForFallback(context, outcome.failed)
      if (inTmux.length > 0) {
        const again = await slingWork(town, { ...request, beads: inTmux, backend: 'tmux' })
        outcome.slung.push(...again.slung)
        outcome.failed = [...outcome.failed.filter(({ bead }) => !inTmux.includes(bead)), ...again.failed]
      }
    }
    const [only] = outcome.failed
    if (beads.length === 1 && only) throw only.error
    for (const { fallback } of outcome.slung) if (fallback !== undefined) context.note(fallbackLine(fallback))
    for (const failure of outcome.failed) context.note(renderError(failure.error, false).text.trimEnd())
    return {
      data: {
        slung: outcome.slung,
        failed: outcome.failed.map(({ bead, error }) => ({ bead, code: error.code, message: error.message })),
      },
      text: [
        ...outcome.slung.map(
          (s) =>
            `${s.bead} → ${s.agent} on ${s.branch} (${s.location})${s.resumed ? ', finishing an interrupted sling' : ''}`,
        ),
        ...(outcome.slung.length > 0 ? ['watch: gt agents · look: gt peek NAME · join: gt attach NAME'] : []),
      ],
      exitCode: outcome.failed.length > 0 ? (only?.error.exitCode ?? 1) : 0,
    }
  },
})
