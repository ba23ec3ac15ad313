import { Arguments, type Command } from './command.js'
import type { ParsedCommandLine } from './parse-command-line.js'

const GLOBAL_FLAGS = ['--json', '--town <dir>', '--quiet', '--no-color']

/**
 * The plain cases of a command line: flags of the command in their long or short form, each value in a
 * word of its own. @returns undefined for everything else, which commander then reads, refuses or explains
 */
export function parseKnownFlags(command: Command, words: readonly string[]): ParsedCommandLine | undefined {
  const flags = [...(command.options ?? []).map((option) => option.flags), ...GLOBAL_FLAGS]
  const options: Record<string, string | boolean | string[]> = { color: true }
  const given: string[] = []
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? ''
    // `--` and what looks like several short flags or `--flag=value` are commander's business.
    if (!word.startsWith('-') || word === '-') {
      given.push(word)
      continue
    }
    const flag = flags.find((candidate) => candidate.split(/[ ,]+/).includes(word))
    if (flag === undefined) return undefined
    const name = camelCase(/--(?:no-)?([a-z-]+)/.exec(flag)?.[1] ?? '')
    if (!flag.includes('<')) options[name] = !flag.includes('--no-')
    else {
      const value = words[++i]
      if (value === undefined || value.startsWith('-')) return undefined
      if (isMany(command, flag)) options[name] = [...((options[name] as string[] | undefined) ?? []), value]
      else options[name] = value
    }
  }
  const declared = command.args ?? []
  if (
    (given.length > declared.length && declared.at(-1)?.many !== true) ||
    declared.some((argument, i) => argument.required && given[i] === undefined)
  )
    return undefined
  return { kind: 'run', args: new Arguments(place(command, given)), options }
}

/** The last argument takes all that is left, when it is declared so. */
function place(command: Command, given: readonly string[]): (string | string[] | undefined)[] {
  const declared = command.args ?? []
  return declared.map((argument, i) => (argument.many ? given.slice(i) : given[i]))
}

function isMany(command: Command, flags: string): boolean {
  return command.options?.some((option) => option.flags === flags && option.many === true) === true
}

function camelCase(name: string): string {
  return name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
}
