import type { Runtime, SubmitProfile } from '../domain/runtime.js'

/**
 * Everything is allowed, because nobody sits before the screen to be asked, except: the `question` tool, which would
 * wait for ever, and pushing, which `gt done` does (in its own process, which this rule does not see). The last
 * matching rule wins.
 */
const OPENCODE_PERMISSION = {
  '*': 'allow',
  question: 'deny',
  bash: { '*': 'allow', 'git push*': 'deny' },
}

const OPENCODE: Runtime = {
  name: 'opencode',
  command: ['opencode'],
  autonomousArgs: [],
  // One argument, because a prompt that starts with "-" would be read as a flag; the space at the end, because text that
  // ends in @word opens the file picker instead of being sent. Sent by itself in a new session only: with -s it is
  // ignored, and with --fork it starts a session without the history. There the text goes in when the session is up.
  promptArgs: ['--prompt={prompt} '],
  modelArgs: ['-m', '{model}'],
  resumeArgs: ['-s', '{session}'],
  forkArgs: ['-s', '{session}', '--fork'],
  env: {
    OPENCODE_CONFIG_DIR: '{config_dir}',
    OPENCODE_PERMISSION: JSON.stringify(OPENCODE_PERMISSION),
    // An update in the middle of a team's work would change plugins' hooks under them.
    OPENCODE_DISABLE_AUTOUPDATE: '1',
    OPENCODE_DISABLE_SHARE: '1',
    OPENCODE_DISABLE_MODELS_FETCH: '1',
    OPENCODE_DISABLE_LSP_DOWNLOAD: '1',
  },
  passEnv: [
    'ANTHROPIC_API_KEY',
    'OPENAI_API_KEY',
    'OPENROUTER_API_KEY',
    'GEMINI_API_KEY',
    'GOOGLE_GENERATIVE_AI_API_KEY',
    'GROQ_API_KEY',
    'MISTRAL_API_KEY',
    'XAI_API_KEY',
    'DEEPSEEK_API_KEY',
    'OPENCODE_API_KEY',
    'OPENCODE_CONFIG',
    'OPENCODE_CONFIG_CONTENT',
    'OPENCODE_MODELS_PATH',
    'XDG_CONFIG_HOME',
    'XDG_DATA_HOME',
    'XDG_STATE_HOME',
    'XDG_CACHE_HOME',
  ],
  instructionFile: 'AGENTS.md',
  hooks: 'plugin',
  ready: { kind: 'report' },
  submit: {
    enterDelayMs: 0,
    prefix: '[gt] ',
    // Text that ends in @word opens the file picker, whose Enter selects instead of sending.
    suffix: ' ',
    maxBytes: 64_000,
    interruptKeys: ['Escape', 'Escape'],
    exitCommand: '/exit',
  },
  processNames: ['opencode', 'opencode.exe', 'node', 'bun'],
  busyMarker: 'esc interrupt',
  headless: ['opencode', 'run', '--format', 'json'],
}

/** Slow and plain: nothing is known about the program's input box. */
const UNKNOWN_INPUT: SubmitProfile = {
  enterDelayMs: 500,
  prefix: '[gt] ',
  suffix: ' ',
  maxBytes: 4_000,
  interruptKeys: ['Escape'],
  exitCommand: '',
}

/** Any other program. `command` is set in town.toml; the prompt is typed in once it had time to start. */
const CUSTOM: Runtime = {
  name: 'custom',
  command: [],
  autonomousArgs: [],
  promptArgs: [],
  modelArgs: [],
  resumeArgs: [],
  forkArgs: [],
  env: {},
  passEnv: [],
  instructionFile: 'AGENTS.md',
  hooks: 'none',
  ready: { kind: 'delay', delayMs: 3_000 },
  submit: UNKNOWN_INPUT,
  processNames: [],
  busyMarker: '',
  headless: [],
}

export const RUNTIME_PRESETS: Readonly<Record<'opencode' | 'custom', Runtime>> = {
  opencode: OPENCODE,
  custom: CUSTOM,
}
