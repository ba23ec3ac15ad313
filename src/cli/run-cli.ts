import { commandTable } from 'virtual:command-table'
import { GtError, UsageError } from '../domain/errors.js'
import type { Command, Io } from './command.js'
import { makeContext, print } from './context.js'
import { parseKnownFlags } from './parse-known-flags.js'
import { renderError } from './render-error.js'

/**
 * Runs one command line.
 * @param argv - without the program's own name
 * @returns the exit code; nothing else of the process is touched
 */
export async function runCli(argv: readonly string[], io: Io): Promise<number> {
  const json = argv.includes('--json')
  try {
    const [first] = argv
    if (first === '--version' || first === '-V') {
      io.stdout.write(json ? `${JSON.stringify({ version: VERSION })}\n` : `gt ${VERSION}\n`)
      return 0
    }
    const found = findCommand(argv)
    if (found.kind !== 'command') {
      const { showOverview } = await import('./overview.js')
      return showOverview(found, argv, io)
    }
    const command = await found.load()
    const words = found.helpOnly ? ['--help'] : argv.slice(found.words)
    // Plain lines, which agents' plugins send all day, do without commander; everything else is its business.
    const parsed =
      parseKnownFlags(command, words) ??
      (await import('./parse-command-line.js')).parseCommandLine(command, words, io)
    if (parsed.kind === 'help') return 0
    const context = makeContext(io, parsed.options, async (around) =>
      (await import('../wire.js')).openTown(around),
    )
    const output = await command.run(context, parsed.args, parsed.options)
    if (output) await print(output, context)
    if (command.readsOnly !== true) await context.afterwards()
    return output?.exitCode ?? 0
  } catch (error) {
    return fail(error, io, json)
  }
}

const VERSION: string = __GT_VERSION__

export type Found =
  | { kind: 'command'; words: number; load: () => Promise<Command>; helpOnly?: boolean }
  | { kind: 'overview' }
  | { kind: 'noun'; noun: string }
  | { kind: 'unknown'; typed: string }

function findCommand(argv: readonly string[]): Found {
  const [first, second, third] = argv
  if (first === undefined || first === '--help' || first === '-h' || first === 'help') {
    return second !== undefined && first === 'help' ? helpFor(argv.slice(1)) : { kind: 'overview' }
  }
  if (first.startsWith('-')) {
    throw new UsageError(`options come after the command: gt COMMAND ${first}`, {
      code: 'option-first',
      hint: 'gt --help',
    })
  }
  const three = third === undefined ? undefined : lookUp(`${first} ${second} ${third}`)
  if (three) return { kind: 'command', words: 3, load: three }
  const two = second === undefined ? undefined : lookUp(`${first} ${second}`)
  if (two) return { kind: 'command', words: 2, load: two }
  const one = lookUp(first)
  if (one) return { kind: 'command', words: 1, load: one }
  if (commandTable.some((entry) => names(entry).some((name) => name.startsWith(`${first} `)))) {
    return { kind: 'noun', noun: first }
  }
  return { kind: 'unknown', typed: first }
}

function helpFor(words: readonly string[]): Found {
  const found = findCommand(words)
  // `gt help mail send` is `gt mail send --help`.
  return found.kind === 'command' ? { ...found, helpOnly: true } : found
}

function names(entry: (typeof commandTable)[number]): readonly string[] {
  return [entry.name, ...entry.aliases]
}

function lookUp(name: string): (() => Promise<Command>) | undefined {
  const entry = commandTable.find((candidate) => names(candidate).includes(name))
  return entry && (async () => (await entry.load()).default)
}

function fail(error: unknown, io: Io, json: boolean): number {
  if (io.signal.aborted && !(error instanceof GtError)) return 130
  const { text, exitCode } = renderError(error, json)
  if (text !== '') (json ? io.stdout : io.stderr).write(text)
  return exitCode
}
