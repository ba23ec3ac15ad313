import { NotFoundError, UsageError } from '../../domain/errors.js'
import { printable } from '../../domain/ids.js'
import {
  type CliContext,
  defineCommand,
  listOption,
  type OptionValues,
  type Output,
  textOption,
} from '../command.js'
import { readStdin } from '../read-text.js'

const SOURCES = ['bd', 'gastown', 'github'] as const

/** By their key in the parsed options. */
const ONLY_FOR: Readonly<Record<string, { flag: string; sources: readonly (typeof SOURCES)[number][] }>> = {
  skipBad: { flag: '--skip-bad', sources: ['bd', 'gastown'] },
  label: { flag: '--label', sources: ['github'] },
  state: { flag: '--state', sources: ['github'] },
  rig: { flag: '--rig', sources: ['bd', 'github'] },
  prefix: { flag: '--prefix', sources: ['github'] },
}

export default defineCommand({
  name: 'import',
  group: 'town',
  summary: 'take beads from a file of bd (JSON lines), a Gas Town home, or the issues of a GitHub repository',
  about:
    'Values keep the dates that they have there, so an old file never overwrites later changes, and importing twice changes nothing. From a Gas Town home come rigs, beads and crew; from GitHub what the command line gh shows.',
  args: [{ name: 'what', about: 'a file (- reads standard input); the folder of a Gas Town; OWNER/REPO' }],
  options: [
    { flags: '--from <source>', about: 'bd (default), gastown or github' },
    { flags: '--skip-bad', about: 'bd, gastown: import the rest when lines cannot be read' },
    {
      flags: '-l, --label <label>',
      about: 'github: only issues with this label; may be repeated',
      many: true,
    },
    { flags: '--state <state>', about: 'github: open (default), closed or all' },
    { flags: '--rig <rig>', about: 'bd, github: the rig whose work it is' },
    { flags: '--prefix <letters>', about: 'github: of the ids (default: that of the rig, or gh)' },
    { flags: '--dry-run', about: 'say what would happen, write nothing' },
  ],
  examples: [
    'gt import ~/src/proj/.beads/issues.jsonl --dry-run',
    'bd export | gt import -',
    'gt import --from gastown ~/gt-old',
    'gt import --from github octo/proj --label ready --rig proj',
  ],
  async run(context, args, options) {
    const from = textOption(options, 'from') ?? 'bd'
    const source = SOURCES.find((candidate) => candidate === from)
    if (source === undefined) {
      throw new UsageError(`"${printable(from)}" is no source that can be imported`, {
        code: 'bad-source',
        hint: `one of ${SOURCES.join(', ')}`,
      })
    }
    refuseOthersOptions(source, options)
    const what = args.optional(0)
    if (source === 'github') return fromGithub(context, what, options)
    if (what === undefined) {
      throw new UsageError(source === 'bd' ? 'name the file to import' : 'name the folder of the Gas Town', {
        code: 'missing-argument',
        hint: source === 'bd' ? 'gt import FILE, or - for standard input' : 'gt import --from gastown ~/gt',
      })
    }
    const path = what.startsWith('/') ? what : `${context.io.cwd}/${what}`
    return source === 'bd' ? fromFile(context, what, path, options) : fromGasTown(context, path, options)
  },
})

/** An option that has no effect there would be a wish that nobody grants. */
function refuseOthersOptions(source: (typeof SOURCES)[number], options: OptionValues): void {
  for (const [name, { flag, sources }] of Object.entries(ONLY_FOR)) {
    const value = options[name]
    const isGiven = Array.isArray(value) ? value.length > 0 : value !== undefined && value !== false
    if (!isGiven || sources.includes(source)) continue
    throw new UsageError(`${flag} has no meaning with --from ${source}`, {
      code: 'bad-option',
      hint: `it is for --from ${sources.join(' and ')}`,
    })
  }
}

const PROGRESS_LINES = 2_000

async function fromFile(
  context: CliContext,
  file: string,
  path: string,
  options: OptionValues,
): Promise<Output> {
  const [{ importBeads }, { importJson, importText }] = await Promise.all([
    import('../../app/import-beads.js'),
    import('../import-text.js'),
  ])
  const town = await context.town()
  const rig = textOption(options, 'rig')
  if (rig !== undefined) (await import('../../app/find-entity.js')).getRig(town, rig)
  if (file !== '-' && town.host.listFolder(path) !== undefined) {
    throw new UsageError(`${printable(file, 200)} is a folder, and bd writes a file`, {
      code: 'is-folder',
      hint: 'name its .beads/issues.jsonl; or, of a Gas Town: --from gastown',
    })
  }
  const text = file === '-' ? await readStdin(context.io) : town.host.readFile(path)
  if (text === undefined) {
    throw new NotFoundError(`cannot read ${printable(file, 200)}`, {
      code: 'no-such-file',
      hint: 'bd export > issues.jsonl writes one',
    })
  }
  let said = 0
  const receipt = importBeads(town, text, {
    dryRun: options.dryRun === true,
    skipBad: options.skipBad === true,
    ...(rig === undefined ? {} : { rig }),
    onProgress: (done, total) => {
      if (done - said < PROGRESS_LINES) return
      said = done
      context.note(`${done} of ${total}`)
    },
  })
  return { data: importJson(receipt), text: importText(receipt) }
}

async function fromGasTown(context: CliContext, path: string, options: OptionValues): Promise<Output> {
  const [{ importGasTown }, { gasTownJson, gasTownText }] = await Promise.all([
    import('../../app/import-gastown.js'),
    import('../import-text.js'),
  ])
  const town = await context.town()
  const receipt = await importGasTown(town, path.replace(/\/+$/, ''), {
    dryRun: options.dryRun === true,
    skipBad: options.skipBad === true,
  })
  const hasFailed = receipt.left.some(({ isFailure }) => isFailure)
  return { data: gasTownJson(receipt), text: gasTownText(receipt), exitCode: hasFailed ? 1 : 0 }
}

async function fromGithub(
  context: CliContext,
  repository: string | undefined,
  options: OptionValues,
): Promise<Output> {
  const state = textOption(options, 'state') ?? 'open'
  if (state !== 'open' && state !== 'closed' && state !== 'all')
    throw new UsageError(`"${printable(state)}" is no state of an issue`, {
      code: 'bad-state',
      hint: 'open, closed or all',
    })
  if (repository !== undefined && !/^[\w.-]+\/[\w.-]+$/.test(repository))
    throw new UsageError(`"${printable(repository)}" is no repository`, {
      code: 'bad-repository',
      hint: 'OWNER/REPO',
    })
  const [{ importGithub }, { importJson, importText }] = await Promise.all([
    import('../../app/import-github.js'),
    import('../import-text.js'),
  ])
  const [rig, prefix] = [textOption(options, 'rig'), textOption(options, 'prefix')]
  const { receipt, count, isCut } = await importGithub(await context.town(), {
    labels: listOption(options, 'label'),
    state,
    cwd: context.io.cwd,
    dryRun: options.dryRun === true,
    ...(repository === undefined ? {} : { repository }),
    ...(rig === undefined ? {} : { rig }),
    ...(prefix === undefined ? {} : { prefix }),
  })
  const cut = isCut ? [`only the newest ${count} were asked for: narrow it down with --label`] : []
  return {
    data: { ...importJson(receipt), issues: count, cut: isCut },
    text: [...importText(receipt), ...cut],
  }
}
