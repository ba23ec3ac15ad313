/**
 * A runtime is data: how a coding agent's program is started, told things, and read. The presets are one table
 * (src/config/runtime-presets.ts); a person adds or changes one in town.toml, without code.
 *
 * Arguments may hold the placeholders {prompt}, {model}, {session} and {prompt_file}; an argument group whose
 * placeholder has no value is left out as a whole.
 */
export interface Runtime {
  name: string
  /** Program and fixed arguments, found on PATH. */
  command: readonly string[]
  /** Added for autonomous work: skip every permission prompt. */
  autonomousArgs: readonly string[]
  /** Argument groups for the first prompt, the model, a resume and a fork. Empty: the program cannot do that. */
  promptArgs: readonly string[]
  modelArgs: readonly string[]
  resumeArgs: readonly string[]
  forkArgs: readonly string[]
  /** Variables set for the session, with the same placeholders plus {town}, {config_dir} and {agent}. */
  env: Readonly<Record<string, string>>
  /** Variables of the caller that the program may see beyond the town's own allow-list (keys of model providers). */
  passEnv: readonly string[]
  /** The program reads this file of its worktree by itself. */
  instructionFile: 'AGENTS.md' | 'CLAUDE.md' | 'GEMINI.md' | 'none'
  /** How gt hears from it: `plugin` = reports by itself, `none` = only its screen and its exit. */
  hooks: 'plugin' | 'settings' | 'arguments' | 'none'
  ready: ReadySignal
  submit: SubmitProfile
  /** Names the pane's process may show (`pane_current_command`). */
  processNames: readonly string[]
  /** Pane text while a turn runs; empty: unknown. */
  busyMarker: string
  /** One-shot form without a terminal; empty: none. */
  headless: readonly string[]
}

export type ReadySignal =
  | { kind: 'report' }
  | { kind: 'screen'; text: string }
  | { kind: 'delay'; delayMs: number }

/** How text gets from us into the program's input box, and is sent. */
export interface SubmitProfile {
  /** Between the paste and the Enter. */
  enterDelayMs: number
  /** Text is put between these, so that its first and last characters cannot open a menu or a shell. */
  prefix: string
  suffix: string
  /** Longer texts go by mail, with a short nudge. */
  maxBytes: number
  /** Keys that interrupt a running turn, in tmux's names. */
  interruptKeys: readonly string[]
  /** Line typed to leave the program gently; empty: only signals. */
  exitCommand: string
}

export interface LaunchValues {
  prompt?: string
  model?: string
  /** The runtime's own conversation id. */
  session?: string
  /** For a fork: the message before which the copy ends; left out: all of it. */
  forkAt?: string
  promptFile?: string
  /** Extra arguments of the user, already split. */
  extraArgs?: readonly string[]
  autonomous?: boolean
  mode?: 'new' | 'resume' | 'fork'
}

/** The argument vector that starts (or resumes, or forks) a session of this runtime. */
export function launchArgv(runtime: Runtime, values: LaunchValues): string[] {
  const placeholders: Record<string, string | undefined> = {
    prompt: values.prompt,
    model: values.model,
    session: values.session,
    prompt_file: values.promptFile,
  }
  const mode = values.mode ?? 'new'
  const groups = [
    runtime.command,
    values.autonomous === false ? [] : runtime.autonomousArgs,
    values.model === undefined ? [] : runtime.modelArgs,
    mode === 'resume' ? runtime.resumeArgs : mode === 'fork' ? runtime.forkArgs : [],
    values.extraArgs ?? [],
    values.prompt === undefined && values.promptFile === undefined ? [] : runtime.promptArgs,
  ]
  return groups.flatMap((group) => fillGroup(group, placeholders))
}

function fillGroup(group: readonly string[], values: Record<string, string | undefined>): string[] {
  const filled: string[] = []
  for (const argument of group) {
    const text = fillText(argument, values)
    if (text === undefined) return []
    filled.push(text)
  }
  return filled
}

/** @returns undefined when a placeholder in `text` has no value. */
export function fillText(text: string, values: Record<string, string | undefined>): string | undefined {
  let missing = false
  const filled = text.replace(/\{([a-z_]+)\}/g, (whole, name: string) => {
    if (!Object.hasOwn(values, name)) return whole
    const value = values[name]
    if (value === undefined) missing = true
    return value ?? ''
  })
  return missing ? undefined : filled
}

export function canResume(runtime: Runtime): boolean {
  return runtime.resumeArgs.length > 0
}

export function canFork(runtime: Runtime): boolean {
  return runtime.forkArgs.length > 0
}
