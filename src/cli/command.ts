import type { Town } from '../app/town.js'

/** What the process gives to the CLI; only bin.ts takes it from `process`. */
export interface Io {
  stdin: NodeJS.ReadStream
  stdout: NodeJS.WriteStream
  stderr: NodeJS.WriteStream
  cwd: string
  env: Readonly<Record<string, string | undefined>>
  /** Absolute folder of gt's own package: bin/, templates/, plugin/. */
  packageDir: string
  pid: number
  /** Fires on Ctrl-C and SIGTERM. */
  signal: AbortSignal
}

export const GROUPS = ['set-up', 'work', 'inside a session', 'talk', 'agents', 'town'] as const
export type Group = (typeof GROUPS)[number]

export interface Argument {
  name: string
  about: string
  required?: boolean
  /** Takes all that is left. Only the last one. */
  many?: boolean
}

export interface Option {
  /** commander's form: `-m, --message <text>` */
  flags: string
  about: string
  /** May be given several times; the value is then a list. */
  many?: boolean
}

/** Values as commander collects them. */
export type OptionValues = Readonly<Record<string, string | boolean | string[] | undefined>>

export interface Output {
  /** The one object of `--json`, or what makes it: a long list is only built when it is asked for. */
  data: unknown | (() => unknown)
  /** For people. Absent: nothing is printed. */
  text?: string | readonly string[]
  /** 0 unless a part of the work failed. */
  exitCode?: number
}

/** A command is data plus a short action; whatever is heavy is imported inside the action. */
export interface Command {
  /** One to three words: `mail send`, `bead dep add`. */
  name: string
  aliases?: readonly string[]
  group: Group
  summary: string
  /** More help, after the summary. */
  about?: string
  args?: readonly Argument[]
  options?: readonly Option[]
  examples: readonly string[]
  /** Called by programs of ours, not by people: left out of the overview. */
  internal?: boolean
  /** Writes nothing, so the store needs no tidying after it. */
  readsOnly?: boolean
  run(context: CliContext, args: Arguments, options: OptionValues): Promise<Output | undefined>
}

export interface CliContext {
  io: Io
  json: boolean
  quiet: boolean
  /** Whether colour may be used. */
  color: boolean
  /** The town this command is about; opened once. @throws NotFoundError code `no-town` */
  town(): Promise<Town>
  /** Leaves the store in order, when a town was opened at all. */
  afterwards(): Promise<void>
  /** Folder given with --town, or undefined. */
  townOption?: string
  /** A remark for people, on stderr; silent with --quiet. */
  note(line: string): void
}

/** Positional arguments by position. */
export class Arguments {
  constructor(private readonly values: readonly (string | string[] | undefined)[]) {}

  text(index: number): string {
    const value = this.values[index]
    return Array.isArray(value) ? value.join(' ') : (value ?? '')
  }

  optional(index: number): string | undefined {
    const value = this.values[index]
    return Array.isArray(value) ? (value.length > 0 ? value.join(' ') : undefined) : value
  }

  list(index: number): string[] {
    const value = this.values[index]
    return Array.isArray(value) ? value : value === undefined ? [] : [value]
  }
}

export function textOption(options: OptionValues, name: string): string | undefined {
  const value = options[name]
  return typeof value === 'string' ? value : undefined
}

export function listOption(options: OptionValues, name: string): string[] {
  const value = options[name]
  return Array.isArray(value) ? value : typeof value === 'string' ? [value] : []
}

/** Identity for literal inference and one place that every command file goes through. */
export function defineCommand(command: Command): Command {
  return command
}
