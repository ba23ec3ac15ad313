import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import type { TownConfig } from '../domain/config.js'
import { ConfigError } from '../domain/errors.js'

export interface LoadConfigOptions {
  townRoot: string
  /** Folder of gt's own templates. */
  templatesDir: string
  /** Changes with every build: a cache written by another gt is not read. */
  buildId: string
}

/**
 * Loads town.toml. The parsed form is kept in the store's cache folder, keyed by the file's identity, so that
 * `gt prime` pays neither for the TOML parser nor for zod; deleting the cache is always safe.
 * @throws ConfigError code `no-config` | `bad-config`
 */
export async function loadConfig(options: LoadConfigOptions): Promise<TownConfig> {
  const file = join(options.townRoot, 'town.toml')
  const key = cacheKey(file, options.buildId)
  const cacheFile = join(options.townRoot, '.beads', 'cache', 'config.json')
  const cached = readCache(cacheFile, key)
  if (cached) return cached
  const { config, cacheable } = await readConfig(file, options)
  if (cacheable) writeCache(cacheFile, key, config)
  return config
}

/** @throws ConfigError when `text` could not serve as the town.toml of this town */
export async function checkConfig(options: LoadConfigOptions, text: string): Promise<void> {
  await readConfig(join(options.townRoot, 'town.toml'), options, text)
}

async function readConfig(
  file: string,
  options: LoadConfigOptions,
  text = readFileSync(file, 'utf8'),
): Promise<{ config: TownConfig; cacheable: boolean }> {
  const [{ parseConfig }, { RUNTIME_PRESETS }] = await Promise.all([
    import('./parse-config.js'),
    import('./runtime-presets.js'),
  ])
  // A template file of the user's may change without town.toml changing: such a configuration is parsed each time.
  let cacheable = true
  const config = parseConfig(text, file, {
    presets: RUNTIME_PRESETS,
    templates: readTemplates(join(options.templatesDir, 'roles')),
    readTemplate: (path) => {
      cacheable = false
      try {
        return readFileSync(isAbsolute(path) ? path : join(options.townRoot, path), 'utf8')
      } catch {
        return undefined
      }
    },
  })
  return { config, cacheable }
}

export function readTemplates(dir: string): Record<string, string> {
  const templates: Record<string, string> = {}
  for (const name of readdirSync(dir)) {
    if (name.endsWith('.md')) templates[name.slice(0, -3)] = readFileSync(join(dir, name), 'utf8')
  }
  return templates
}

function cacheKey(file: string, buildId: string): string {
  try {
    const stat = statSync(file, { bigint: true })
    return [buildId, file, stat.ino, stat.size, stat.mtimeNs, stat.ctimeNs].join('|')
  } catch (cause) {
    throw new ConfigError(`cannot read ${file}`, {
      code: 'no-config',
      hint: 'run `gt init` there, or name a town with --town',
      details: { file },
      cause,
    })
  }
}

function readCache(file: string, key: string): TownConfig | undefined {
  try {
    const cached = JSON.parse(readFileSync(file, 'utf8')) as { key: string; config: TownConfig }
    return cached.key === key ? cached.config : undefined
  } catch {
    return undefined
  }
}

/** Best effort: a town on a read-only disk still answers. */
function writeCache(file: string, key: string, config: TownConfig): void {
  try {
    mkdirSync(join(file, '..'), { recursive: true, mode: 0o700 })
    const temporary = `${file}.${process.pid}`
    writeFileSync(temporary, JSON.stringify({ key, config }), { mode: 0o600 })
    renameSync(temporary, file)
  } catch {
    // nothing is lost: the next command parses again
  }
}
