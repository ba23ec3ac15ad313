import { commandTable } from 'virtual:command-table'
import { UsageError } from '../domain/errors.js'
import { nearest, printable } from '../domain/ids.js'
import { GROUPS, type Io } from './command.js'
import type { Found } from './run-cli.js'

/** `gt`, `gt --help`, `gt mail`, and commands that do not exist. */
export function showOverview(
  found: Exclude<Found, { kind: 'command' }>,
  argv: readonly string[],
  io: Io,
): number {
  switch (found.kind) {
    case 'overview':
      io.stdout.write(
        argv.includes('--json') ? `${JSON.stringify({ commands: listed(commandTable) })}\n` : overview(),
      )
      return 0
    case 'noun': {
      const verbs = commandTable.filter(
        (entry) =>
          !entry.internal && [entry.name, ...entry.aliases].some((n) => n.startsWith(`${found.noun} `)),
      )
      const typed = argv[1]
      if (typed !== undefined && !typed.startsWith('-')) {
        const near = nearest(
          typed,
          verbs.map((entry) => entry.name.split(' ')[1] ?? ''),
        )
        throw new UsageError(`there is no "gt ${found.noun} ${printable(typed)}"`, {
          code: 'unknown-command',
          hint:
            near === undefined
              ? `gt ${found.noun} --help lists its verbs`
              : `did you mean gt ${found.noun} ${near}?`,
        })
      }
      if (argv.includes('--json')) {
        io.stdout.write(`${JSON.stringify({ commands: listed(verbs) })}\n`)
        return 0
      }
      io.stdout.write(
        `gt ${found.noun}:\n${verbs.map((entry) => line(entry.name, entry.summary)).join('')}\nMore: gt help ${found.noun} VERB\n`,
      )
      return argv.length > 1 ? 0 : 2
    }
    case 'unknown': {
      const near = nearest(
        found.typed,
        commandTable.flatMap((entry) => [entry.name, ...entry.aliases].map((n) => n.split(' ')[0] ?? '')),
      )
      throw new UsageError(`there is no command "${printable(found.typed)}"`, {
        code: 'unknown-command',
        hint: near === undefined ? 'gt --help lists them' : `did you mean gt ${near}?`,
      })
    }
  }
}

function listed(entries: typeof commandTable) {
  return entries
    .filter((entry) => !entry.internal)
    .map(({ name, aliases, group, summary }) => ({ name, aliases, group, summary }))
}

function overview(): string {
  const parts = [
    'gt: a supervisor for teams of coding agents. Hand a bead to an agent, get a merged commit back.\n',
    'usage: gt COMMAND [arguments] [--json] [--town DIR] [--quiet] [--no-color]\n',
  ]
  for (const group of GROUPS) {
    const commands = commandTable.filter((entry) => entry.group === group && !entry.internal)
    if (commands.length > 0)
      parts.push(`${group}\n${commands.map((entry) => line(entry.name, entry.summary)).join('')}`)
  }
  parts.push('Start with: gt demo · gt init · gt help sling\n')
  return parts.join('\n')
}

function line(name: string, summary: string): string {
  return `  ${name.padEnd(22)} ${summary}\n`
}
