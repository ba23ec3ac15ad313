import { z } from 'zod'

/** town.toml as it is written: snake_case keys, durations as text. Unknown keys are errors everywhere. */

const NAME = /^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/
const name = z.string().regex(NAME, 'must be 1 to 32 lower-case letters, digits or "-"')

const UNITS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** "90s", "10m", "2h", "90d" → milliseconds. */
const duration = z.string().transform((text, context) => {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text)
  const value = match ? Number(match[1]) * (UNITS[match[2] ?? ''] ?? 0) : 0
  if (value > 0) return value
  context.addIssue({ code: 'custom', message: 'must be a duration such as "90s", "10m", "2h" or "90d"' })
  return z.NEVER
})

/** "1500 MB", "4 GB" → bytes. */
const memory = z.string().transform((text, context) => {
  const match = /^(\d+(?:\.\d+)?) ?(MB|GB)$/.exec(text)
  const value = match ? Number(match[1]) * (match[2] === 'GB' ? 1e9 : 1e6) : 0
  if (value > 0) return value
  context.addIssue({ code: 'custom', message: 'must be an amount of memory such as "1500 MB" or "4 GB"' })
  return z.NEVER
})

const sessionBackend = z.enum(['tmux', 'opencode'])

const gate = z.strictObject({
  name: z.string().min(1),
  run: z.string().min(1),
  timeout: duration.default(20 * 60_000),
})

const rig = z
  .strictObject({
    url: z.string().min(1).optional(),
    path: z.string().startsWith('/', 'must be an absolute path').optional(),
    branch: z
      .string()
      .min(1)
      .regex(/^[^-\s]\S*$/, 'must be a branch name')
      .default('main'),
    prefix: z
      .string()
      .regex(/^[a-z][a-z0-9]{0,11}$/, 'must be 1 to 12 lower-case letters or digits')
      .optional(),
    runtime: z.string().optional(),
    backend: sessionBackend.optional(),
    max_agents: z.int().min(1).max(1_000).optional(),
    gates: z.array(gate).default([]),
  })
  .superRefine(
    (value, context) => {
      if ((value.url === undefined) === (value.path === undefined)) {
        context.addIssue({ code: 'custom', message: 'needs exactly one of "url" and "path"' })
      }
    },
    // Also beside other mistakes of the same rig: all are said at once.
    { when: ({ value }) => typeof value === 'object' && value !== null },
  )

const role = z.strictObject({
  template: z.string().optional(),
  runtime: z.string().optional(),
  backend: sessionBackend.optional(),
  model: z.string().optional(),
  ends: z.enum(['done', 'never']).optional(),
  autonomous: z.boolean().optional(),
})

const words = z.array(z.string())

const ready = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('report') }),
  z.strictObject({ kind: z.literal('screen'), text: z.string().min(1) }),
  z.strictObject({ kind: z.literal('delay'), delay: duration }),
])

const submit = z.strictObject({
  enter_delay: duration.optional(),
  prefix: z.string().optional(),
  suffix: z.string().optional(),
  max_bytes: z.int().min(256).max(65_536).optional(),
  interrupt_keys: words.optional(),
  exit_command: z.string().optional(),
})

const runtime = z.strictObject({
  extends: z.string().optional(),
  command: words.min(1).optional(),
  autonomous_args: words.optional(),
  prompt_args: words.optional(),
  model_args: words.optional(),
  resume_args: words.optional(),
  fork_args: words.optional(),
  env: z.record(z.string(), z.string()).optional(),
  pass_env: words.optional(),
  instruction_file: z.enum(['AGENTS.md', 'CLAUDE.md', 'GEMINI.md', 'none']).optional(),
  hooks: z.enum(['plugin', 'settings', 'arguments', 'none']).optional(),
  ready: ready.optional(),
  submit: submit.optional(),
  process_names: words.optional(),
  busy_marker: z.string().optional(),
  headless: words.optional(),
})

const askPolicy = z.strictObject({
  tool: z.string().min(1).default('*'),
  pattern: z.string().min(1).default('*'),
  answer: z.string().trim().min(1),
})

export const townSchema = z.strictObject({
  town: z.strictObject({ name: name.default('town') }).prefault({}),
  orchestration: z
    .strictObject({
      backend: z.enum(['tmux', 'opencode', 'hybrid']).default('tmux'),
      fallback: z.enum(['fail', 'tmux', 'ask']).default('tmux'),
      opencode_server_url: z.url({ protocol: /^https?$/ }).optional(),
      runtime: z.string().default('opencode'),
      role: z.string().default('polecat'),
      pass_env: words.default([]),
    })
    .prefault({}),
  opencode: z
    .strictObject({
      sessions_per_server: z.int().min(1).max(200).default(30),
      max_memory: memory.default(4e9),
      start_timeout: duration.default(60_000),
      catalogue: z.enum(['auto', 'full']).default('auto'),
    })
    .prefault({}),
  limits: z
    .strictObject({
      agents: z.int().min(1).max(1_000).default(30),
      prime_bytes: z.int().min(1_024).max(6_144).default(6_144),
      mail_bytes: z.int().min(512).max(65_536).default(8_192),
      nudge_bytes: z.int().min(256).max(65_536).default(4_096),
      stalled_after: duration.default(5 * 60_000),
    })
    .prefault({}),
  asks: z
    .strictObject({
      deadline: duration.default(30 * 60_000),
      on_deadline: z.enum(['deny', 'allow', 'wait']).default('deny'),
      policies: z.array(askPolicy).default([]),
    })
    .prefault({}),
  store: z
    .strictObject({
      remote: z
        .string()
        .min(1)
        .regex(/^[^-\s][^\u0000-\u001f]*$/, 'must be the address of a git repository')
        .optional(),
      archive_after: duration.default(90 * 86_400_000),
      remote_refs: z.enum(['branches', 'hidden']).default('branches'),
    })
    .prefault({}),
  roles: z.record(name, role).default({}),
  runtimes: z.record(name, runtime).default({}),
  rigs: z.record(name, rig).default({}),
})

export type TownToml = z.infer<typeof townSchema>
export type RuntimeToml = NonNullable<TownToml['runtimes'][string]>
