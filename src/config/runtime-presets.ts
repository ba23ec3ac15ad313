import type { Runtime, SubmitProfile } from '../domain/runtime.js'

/**
 * Everything is allowed, because nobody sits before the screen to be asked, except: the `question` tool, which would
 * wait for ever, and pushing, which `gt done` does (in its own process, which this rule does not see). The last
 * matching rule wins. opencode merges this key by key into the user's own rules, so theirs may still ask: `--auto`
 * answers those, but nothing that is denied.
 */
const OPENCODE_PERMISSION = {
  '*': 'allow',
  question: 'deny',
  bash: { '*': 'allow', 'git push*': 'deny' },
}

const OPENCODE: Runtime = {
  name: 'opencode',
  command: ['opencode'],
  autonomousArgs: ['--auto'],
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
    OPENCODE_DISABLE_LSP_DOWNLOAD: '1',
  },
  passEnv: [
    ...['ANTHROPIC', 'OPENAI', 'OPENROUTER', 'GEMINI', 'GOOGLE_GENERATIVE_AI', 'GROQ', 'MISTRAL', 'XAI'].map(
      (provider) => `${provider}_API_KEY`,
    ),
    ...['DEEPSEEK', 'CEREBRAS', 'TOGETHER', 'COHERE', 'PERPLEXITY', 'AZURE', 'OPENCODE'].map(
      (provider) => `${provider}_API_KEY`,
    ),
    ...['AWS_PROFILE', 'AWS_REGION', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN'],
    ...['GOOGLE_APPLICATION_CREDENTIALS', 'GOOGLE_CLOUD_PROJECT', 'AZURE_RESOURCE_NAME'],
    // A person's choice of configuration, and what the demo and the tests use to stay off the network.
    ...[
      'OPENCODE_CONFIG',
      'OPENCODE_CONFIG_CONTENT',
      'OPENCODE_MODELS_PATH',
      'OPENCODE_DISABLE_MODELS_FETCH',
    ],
    ...['OPENCODE_DISABLE_DEFAULT_PLUGINS', 'OPENCODE_DISABLE_CLAUDE_CODE'],
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

/**
 * Any other program. `command` is set in town.toml. It finds its first prompt in the file GT_PROMPT_FILE; one that takes it
 * as an argument says so in `prompt_args`, one that wants it typed names what its screen shows then in `ready`.
 */
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
