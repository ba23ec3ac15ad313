import { CommanderError, Option, Command as Program } from 'commander'
import { UsageError } from '../domain/errors.js'
import { Arguments, type Command, type Io, type OptionValues } from './command.js'

export type ParsedCommandLine = { kind: 'run'; args: Arguments; options: OptionValues } | { kind: 'help' }

/** One command's words → arguments and options. Prints help itself; every mistake is a UsageError with the usage line. */
export function parseCommandLine(command: Command, words: readonly string[], io: Io): ParsedCommandLine {
  const program = buildProgram(command, io)
  let parsed: ParsedCommandLine = { kind: 'help' }
  program.action((...given: unknown[]) => {
    const values = given.slice(0, (command.args ?? []).length) as (string | string[] | undefined)[]
    parsed = { kind: 'run', args: new Arguments(values), options: program.opts() as OptionValues }
  })
  try {
    program.parse([...words], { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.code === 'commander.helpDisplayed' || error.code === 'commander.help') return { kind: 'help' }
    throw usageError(command, program, error)
  }
  return parsed
}

function buildProgram(command: Command, io: Io): Program {
  const program = new Program(`gt ${command.name}`)
  program.description([command.summary, command.about].filter(Boolean).join('\n\n'))
  program.exitOverride()
  program.showSuggestionAfterError(true)
  program.configureOutput({
    writeOut: (text) => void io.stdout.write(text),
    writeErr: () => {},
    getOutHelpWidth: () => io.stdout.columns ?? 100,
  })
  for (const argument of command.args ?? []) {
    const dots = argument.many ? '...' : ''
    program.argument(
      argument.required ? `<${argument.name}${dots}>` : `[${argument.name}${dots}]`,
      argument.about,
    )
  }
  for (const option of command.options ?? []) {
    const made = new Option(option.flags, option.about)
    if (option.many)
      made.argParser((value: string, before: string[] | undefined) => [...(before ?? []), value])
    program.addOption(made)
  }
  program
    .option('--json', 'print one JSON object, errors too')
    .option('--town <dir>', 'the town to work on (default: GT_TOWN, the nearest upwards from here, or ~/gt)')
    .option('--quiet', 'no remarks')
    .option('--no-color', 'no colour (also NO_COLOR)')
  program.addHelpText('after', `\nExamples:\n${command.examples.map((line) => `  ${line}`).join('\n')}`)
  return program
}

function usageError(command: Command, program: Program, error: CommanderError): UsageError {
  const message = error.message.replace(/^error: /, '')
  return new UsageError(message.split('\n')[0] ?? message, {
    code: error.code.replace('commander.', 'usage-').replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`),
    hint: /\(Did you mean (.+)\?\)/.exec(message)?.[0] ?? `gt ${command.name} --help`,
    details: { usage: `gt ${command.name} ${program.usage()}` },
  })
}
