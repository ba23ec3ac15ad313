import { createHash, randomBytes } from 'node:crypto'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { writeAtomically } from '../../system/atomic-write.js'
import type { OpencodePlaces } from './places.js'

/**
 * opencode keeps its whole catalogue of models in memory once for each directory: thousands of them, of which a person uses a
 * few. A catalogue of only the providers that can be used saves most of a session's memory.
 *
 * Used only when it is safe: opencode has fetched a catalogue, and the user named none. What a configuration file mentions
 * stays in, and so does what has a login, a key in the environment, or needs neither. A worktree whose files mention others
 * gets another catalogue, and so another server.
 *
 * @returns the file for OPENCODE_MODELS_PATH; undefined: leave opencode its own
 */
export function trimCatalogue(
  places: OpencodePlaces,
  env: Readonly<Record<string, string>>,
  cwd: string,
): string | undefined {
  if (env.OPENCODE_MODELS_PATH !== undefined || env.HOME === undefined) return undefined
  const source = join(env.XDG_CACHE_HOME ?? join(env.HOME, '.cache'), 'opencode', 'models.json')
  const catalogue = readObject(source)
  if (catalogue === undefined) return undefined
  const said = mentions(env, cwd)
  const logins =
    readObject(join(env.XDG_DATA_HOME ?? join(env.HOME, '.local', 'share'), 'opencode', 'auth.json')) ?? {}
  // A login that is no provider of the catalogue may bring a configuration of its own.
  if (Object.keys(logins).some((id) => !(id in catalogue))) return undefined
  const kept = Object.entries(catalogue).filter(
    ([id, provider]) =>
      WITHOUT_KEY.some((prefix) => id.startsWith(prefix)) ||
      id in logins ||
      namesOf(provider).some((name) => (env[name] ?? '') !== '') ||
      said.includes(`"${id}"`) ||
      said.includes(`"${id}/`),
  )
  const names = kept.map(([id]) => id).sort()
  const hash = createHash('sha256').update(names.join('\n')).digest('hex').slice(0, 12)
  const file = join(places.dir, `models-${hash}.json`)
  // The same providers keep the same name, and with it their server, when opencode fetched its catalogue anew.
  if (isOlder(file, source)) {
    const temporary = `${file}.${randomBytes(6).toString('hex')}.tmp`
    writeAtomically(file, JSON.stringify(Object.fromEntries(kept)), {
      temporary,
      mode: 0o600,
      durable: false,
    })
  }
  return file
}

/** Free models, and clouds whose logins are neither in opencode's files nor in a variable. */
const WITHOUT_KEY = [
  'opencode',
  'github',
  'amazon-bedrock',
  'google-vertex',
  'azure',
  'sap-ai',
  'lmstudio',
  'ollama',
  'cloudflare',
  'gitlab',
  'snowflake',
]

/** Variables that hold a key of it, as the catalogue says. */
function namesOf(provider: unknown): string[] {
  const { env } = (provider ?? {}) as { env?: unknown }
  return Array.isArray(env) ? env.filter((name) => typeof name === 'string') : []
}

/** The text of every configuration that could name a provider. */
function mentions(env: Readonly<Record<string, string>>, cwd: string): string {
  const user = join(env.XDG_CONFIG_HOME ?? join(env.HOME ?? '', '.config'), 'opencode')
  const folders = [user, '/etc/opencode', cwd, join(cwd, '.opencode'), join(env.HOME ?? '', '.opencode')]
  const files = folders.flatMap((dir) =>
    ['config.json', 'opencode.json', 'opencode.jsonc'].map((name) => join(dir, name)),
  )
  const named = env.OPENCODE_CONFIG === undefined ? [] : [env.OPENCODE_CONFIG]
  return [env.OPENCODE_CONFIG_CONTENT ?? '', ...[...files, ...named].map(readText)].join('\n')
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function readObject(path: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'))
    // Checked here.
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}

function isOlder(file: string, source: string): boolean {
  return !existsSync(file) || statSync(file).mtimeMs < statSync(source).mtimeMs
}
