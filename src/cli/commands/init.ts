import type { RestoredRigs } from '../../app/share-rigs.js'
import { UsageError } from '../../domain/errors.js'
import { type CliContext, defineCommand, textOption } from '../command.js'
import { parseDuration } from '../parse-values.js'
import { plain } from '../table.js'

const TIMEOUT_MS = 300_000

export default defineCommand({
  name: 'init',
  aliases: ['install'],
  group: 'set-up',
  summary: 'make a town: the folder that holds the beads and all rigs',
  about:
    'With --from, a town that other machines have already: its beads and mail are there at once, rigs known by URL are added. ' +
    'What stands in the town.toml of the others (roles, runtimes, limits) is theirs, and does not come along.',
  args: [{ name: 'dir', about: 'its folder (default ~/gt)' }],
  options: [
    { flags: '--name <name>', about: 'name of the town (default: that of the folder)' },
    { flags: '--from <url>', about: 'git remote of a town that is on other machines (see gt sync)' },
    {
      flags: '--hidden',
      about: 'with --from: its beads are outside of the branches (remote_refs = "hidden" there)',
    },
    { flags: '--timeout <duration>', about: 'with --from: give up after this long (default 5m)' },
  ],
  examples: [
    'gt init',
    'gt init ~/towns/main --name main',
    'gt init ~/gt --from git@example.org:team/beads.git',
  ],
  async run(context, args, options) {
    const { createTown } = await import('../../wire.js')
    const { defaultTown } = await import('../../config/locate-town.js')
    const { rigName } = await import('../../domain/ids.js')
    const { resolve } = await import('node:path')
    const { io } = context
    const given = args.optional(0) ?? context.townOption
    const dir = given === undefined ? (defaultTown(io.env) ?? `${io.cwd}/gt`) : resolve(io.cwd, given)
    const name = textOption(options, 'name')
    if (name !== undefined) rigName(name)
    const from = textOption(options, 'from')
    if (from === undefined && options.hidden === true)
      throw new UsageError('--hidden goes with --from', { code: 'hidden-alone' })
    const { remoteAddress } = await import('../remote-address.js')
    const timeoutMs = parseDuration(textOption(options, 'timeout'), '--timeout') ?? TIMEOUT_MS
    const root = await createTown({
      dir,
      packageDir: io.packageDir,
      env: io.env,
      ...(name === undefined ? {} : { name }),
      ...(from === undefined
        ? {}
        : {
            from: {
              remote: {
                url: remoteAddress(from, io.cwd),
                refs: options.hidden === true ? 'hidden' : 'branches',
              } as const,
              timeoutMs,
              signal: io.signal,
            },
          }),
    })
    if (from !== undefined) return joined(context, root)
    return {
      data: { town: root },
      text: [
        `made the town ${root}`,
        'next: gt rig add NAME URL|PATH · gt bead create "what to do" · gt sling BEAD NAME',
      ],
    }
  },
})

/** The second half of --from; the town is whole already, so a rig that is not to be had is said and no more. */
async function joined({ io }: CliContext, root: string) {
  const { openTown } = await import('../../wire.js')
  const { restoreRigs } = await import('../../app/share-rigs.js')
  const { cwd, env, packageDir, pid } = io
  const town = await openTown({ cwd, env, packageDir, pid, town: root })
  const rigs = await restoreRigs(town)
  const view = town.ledger.read()
  const beads = view.count({ kind: 'bead', archived: 'too' })
  return {
    data: {
      town: root,
      beads,
      rigs: rigs.added,
      needs: rigs.byPath.map((rig) => rig.name),
      failed: rigs.failed.map(({ rig, why }) => ({ rig: rig.name, why })),
    },
    text: [`made the town ${root} with ${beads} beads of the other machines`, ...rigLines(rigs)],
  }
}

function rigLines({ added, byPath, failed }: RestoredRigs): string[] {
  return [
    ...(added.length > 0 ? [`rigs: ${added.join(', ')}`] : []),
    ...byPath.map(
      ({ name, branch }) =>
        `needs: gt rig add ${name} PATH-OF-A-CLONE --branch ${branch}   (elsewhere it is a clone on disk)`,
    ),
    ...failed.map(
      ({ rig, why }) => `needs: gt rig add ${rig.name} ${rig.url ?? ''}   (not now: ${plain(why, 200)})`,
    ),
  ]
}
