import { parse } from 'toml'
import type { z } from 'zod'
import type { Role, TownConfig } from '../domain/config.js'
import { ConfigError, type ConfigProblem } from '../domain/errors.js'
import { nearest, rigName } from '../domain/ids.js'
import type { Rig } from '../domain/rig.js'
import type { Runtime } from '../domain/runtime.js'
import { lineOfKey } from './key-lines.js'
import { type RuntimeToml, type TownToml, townSchema } from './schema.js'

export interface ConfigMaterial {
  presets: Readonly<Record<string, Runtime>>
  /** Built-in roles: name → text of its template. */
  templates: Readonly<Record<string, string>>
  /** Reads a template file named in town.toml; undefined when there is none. */
  readTemplate: (path: string) => string | undefined
}

/**
 * Text of town.toml → configuration. Pure but for `readTemplate`.
 * @param file - for messages only
 * @throws ConfigError that lists every problem at once with file, line and key
 */
export function parseConfig(text: string, file: string, material: ConfigMaterial): TownConfig {
  const { value, problems, lostTable } = parseToml(text)
  const checked = townSchema.safeParse(value)
  // Keys whose table header could not be read stand in the wrong place: what the schema says of them would be wrong.
  if (!checked.success && !lostTable)
    problems.push(...checked.error.issues.flatMap((issue) => problemsOf(issue, text)))
  if (!checked.success || problems.length > 0) throw configError(file, problems)
  const resolved = resolve(checked.data, text, material)
  if (resolved.problems.length > 0) throw configError(file, resolved.problems)
  return resolved.config
}

const MAX_SYNTAX_ERRORS = 20

/** The parser stops at the first error; blanking that line and going on finds the others. */
function parseToml(text: string): { value: unknown; problems: ConfigProblem[]; lostTable: boolean } {
  const lines = text.split('\n')
  const problems: ConfigProblem[] = []
  let lostTable = false
  while (problems.length < MAX_SYNTAX_ERRORS) {
    try {
      return { value: parse(lines.join('\n')), problems, lostTable }
    } catch (error) {
      const line = errorLine(error)
      if (line === undefined || lines[line - 1] === undefined || lines[line - 1] === '') {
        problems.push({ key: '', message: `not TOML: ${shortMessage(error)}` })
        break
      }
      problems.push({
        line,
        key: (lines[line - 1] ?? '').trim().slice(0, 40),
        message: `not TOML: ${shortMessage(error)}`,
      })
      lostTable ||= (lines[line - 1] ?? '').trimStart().startsWith('[')
      lines[line - 1] = ''
    }
  }
  return { value: {}, problems, lostTable }
}

function errorLine(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null) return undefined
  if ('line' in error && typeof error.line === 'number') return error.line
  const location =
    'location' in error ? (error.location as { start?: { line?: number; column?: number } }) : undefined
  const start = location?.start
  if (typeof start?.line !== 'number') return undefined
  // An error at the very start of a line was caused by the one before it (a value that never came).
  return start.column === 1 && start.line > 1 ? start.line - 1 : start.line
}

function shortMessage(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  const found = /but (.+) found\.?$/s.exec(message)
  return found ? `did not expect ${found[1]}` : message
}

function problemsOf(issue: z.core.$ZodIssue, text: string): ConfigProblem[] {
  const at = (path: readonly PropertyKey[], message: string): ConfigProblem => {
    const keys = path.map((part) => (typeof part === 'number' ? part : String(part)))
    const line = lineOfKey(text, keys)
    return { key: keys.join('.'), message, ...(line === undefined ? {} : { line }) }
  }
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => at([...issue.path, key], 'unknown key'))
  }
  return [at(issue.path, issue.message)]
}

function configError(file: string, problems: ConfigProblem[]): ConfigError {
  const sorted = [...problems].sort((a, b) => (a.line ?? 0) - (b.line ?? 0))
  const lines = sorted.map(
    (p) => `  ${file}:${p.line ?? '?'}: ${p.key === '' ? '' : `${p.key}: `}${p.message}`,
  )
  const count = sorted.length === 1 ? 'a problem' : `${sorted.length} problems`
  return new ConfigError(`town.toml has ${count}:\n${lines.join('\n')}`, {
    code: 'bad-config',
    hint: 'town.toml.example, in the folder of gt, shows every key',
    details: { file, problems: sorted },
  })
}

function resolve(
  toml: TownToml,
  text: string,
  material: ConfigMaterial,
): { config: TownConfig; problems: ConfigProblem[] } {
  const problems: ConfigProblem[] = []
  const problem = (path: (string | number)[], message: string) => {
    const line = lineOfKey(text, path)
    problems.push({ key: path.join('.'), message, ...(line === undefined ? {} : { line }) })
  }

  const runtimes: Record<string, Runtime> = { ...material.presets }
  for (const [name, written] of Object.entries(toml.runtimes)) {
    const base = own(material.presets, written.extends ?? name) ?? material.presets.custom
    if (written.extends !== undefined && own(material.presets, written.extends) === undefined) {
      problem(
        ['runtimes', name, 'extends'],
        unknown('runtime', written.extends, Object.keys(material.presets)),
      )
    }
    if (base === undefined) continue
    if (written.command === undefined && base.command.length === 0)
      problem(['runtimes', name], 'needs "command"')
    runtimes[name] = mergeRuntime(name, base, written)
  }

  const roles: Record<string, Role> = {}
  for (const [name, template] of Object.entries(material.templates)) {
    roles[name] = { name, template, ends: name === 'polecat' ? 'done' : 'never', autonomous: true }
  }
  for (const [name, written] of Object.entries(toml.roles)) {
    const base = own(roles, name)
    const template = written.template === undefined ? base?.template : material.readTemplate(written.template)
    if (template === undefined) {
      problem(
        written.template === undefined ? ['roles', name] : ['roles', name, 'template'],
        written.template === undefined
          ? 'a role of your own needs "template"'
          : `cannot read ${written.template}`,
      )
    }
    roles[name] = {
      name,
      template: template ?? '',
      ends: written.ends ?? base?.ends ?? 'never',
      autonomous: written.autonomous ?? base?.autonomous ?? true,
      ...(written.runtime === undefined ? {} : { runtime: written.runtime }),
      ...(written.model === undefined ? {} : { model: written.model }),
      ...(written.backend === undefined ? {} : { backend: written.backend }),
    }
    if (written.runtime !== undefined && own(runtimes, written.runtime) === undefined) {
      problem(['roles', name, 'runtime'], unknown('runtime', written.runtime, Object.keys(runtimes)))
    }
  }

  const rigs: Record<string, Rig> = {}
  for (const [name, written] of Object.entries(toml.rigs)) {
    if (written.runtime !== undefined && own(runtimes, written.runtime) === undefined) {
      problem(['rigs', name, 'runtime'], unknown('runtime', written.runtime, Object.keys(runtimes)))
    }
    rigs[name] = {
      name: rigName(name),
      source:
        written.url === undefined
          ? { kind: 'path', path: written.path ?? '' }
          : { kind: 'url', url: written.url },
      branch: written.branch,
      prefix: written.prefix ?? defaultPrefix(name),
      ...(written.max_agents === undefined ? {} : { maxAgents: written.max_agents }),
      gates: written.gates.map((gate) => ({ name: gate.name, run: gate.run, timeoutMs: gate.timeout })),
      ...(written.runtime === undefined ? {} : { runtime: written.runtime }),
      ...(written.backend === undefined ? {} : { backend: written.backend }),
    }
  }

  const orchestration = toml.orchestration
  if (own(runtimes, orchestration.runtime) === undefined) {
    problem(['orchestration', 'runtime'], unknown('runtime', orchestration.runtime, Object.keys(runtimes)))
  }
  if (own(roles, orchestration.role) === undefined) {
    problem(['orchestration', 'role'], unknown('role', orchestration.role, Object.keys(roles)))
  }

  const config: TownConfig = {
    name: toml.town.name,
    backend: orchestration.backend,
    fallback: orchestration.fallback,
    servers: {
      ...(orchestration.opencode_server_url === undefined ? {} : { url: orchestration.opencode_server_url }),
      sessionsPerServer: toml.opencode.sessions_per_server,
      maxMemoryBytes: toml.opencode.max_memory,
      startTimeoutMs: toml.opencode.start_timeout,
      trimsCatalogue: toml.opencode.catalogue === 'auto',
    },
    runtime: orchestration.runtime,
    role: orchestration.role,
    passEnv: orchestration.pass_env,
    limits: {
      agents: toml.limits.agents,
      primeBytes: toml.limits.prime_bytes,
      mailBytes: toml.limits.mail_bytes,
      nudgeBytes: toml.limits.nudge_bytes,
      stalledAfterMs: toml.limits.stalled_after,
    },
    asks: {
      deadlineMs: toml.asks.deadline,
      onDeadline: toml.asks.on_deadline,
      policies: toml.asks.policies,
    },
    store: {
      archiveAfterMs: toml.store.archive_after,
      remoteRefs: toml.store.remote_refs,
      ...(toml.store.remote === undefined ? {} : { remote: toml.store.remote }),
    },
    roles,
    runtimes,
    rigs,
  }
  return { config, problems }
}

/** Not `in`: every object has a `constructor`. */
function own<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined
}

function unknown(what: string, name: string, known: string[]): string {
  const near = nearest(name, known)
  return `no ${what} "${name}"${near === undefined ? `; known: ${known.join(', ')}` : `, did you mean "${near}"?`}`
}

/** `my-project` → `myproject`, short enough to type. */
function defaultPrefix(rig: string): string {
  const letters = rig.replace(/[^a-z0-9]/g, '').replace(/^[0-9]+/, '')
  return letters.slice(0, 8) || 'bead'
}

function mergeRuntime(name: string, base: Runtime, written: RuntimeToml): Runtime {
  const submit = written.submit
  return {
    name,
    command: written.command ?? base.command,
    autonomousArgs: written.autonomous_args ?? base.autonomousArgs,
    promptArgs: written.prompt_args ?? base.promptArgs,
    modelArgs: written.model_args ?? base.modelArgs,
    resumeArgs: written.resume_args ?? base.resumeArgs,
    forkArgs: written.fork_args ?? base.forkArgs,
    env: { ...base.env, ...written.env },
    passEnv: written.pass_env ?? base.passEnv,
    instructionFile: written.instruction_file ?? base.instructionFile,
    hooks: written.hooks ?? base.hooks,
    ready:
      written.ready === undefined
        ? base.ready
        : written.ready.kind === 'delay'
          ? { kind: 'delay', delayMs: written.ready.delay }
          : written.ready,
    submit: {
      enterDelayMs: submit?.enter_delay ?? base.submit.enterDelayMs,
      prefix: submit?.prefix ?? base.submit.prefix,
      suffix: submit?.suffix ?? base.submit.suffix,
      maxBytes: submit?.max_bytes ?? base.submit.maxBytes,
      interruptKeys: submit?.interrupt_keys ?? base.submit.interruptKeys,
      exitCommand: submit?.exit_command ?? base.submit.exitCommand,
    },
    processNames: written.process_names ?? base.processNames,
    busyMarker: written.busy_marker ?? base.busyMarker,
    headless: written.headless ?? base.headless,
  }
}
