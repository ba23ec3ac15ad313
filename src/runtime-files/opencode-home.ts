import { createHash, randomUUID } from 'node:crypto'
import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** The version gt is tested with (package.json pins it for the tests). */
export const TESTED_OPENCODE_VERSION = '1.18.33'

export interface OpencodeConfigDirOptions {
  /** The town's own OPENCODE_CONFIG_DIR; outside of every worktree. */
  dir: string
  /** Text of the plugin. */
  pluginSource: string
  /** The installed opencode, as `opencode --version` prints it. */
  opencodeVersion?: string
}

/**
 * Makes the config directory that gives every session of a town its plugin, without a file in any worktree and without
 * touching the user's own configuration (opencode merges both).
 *
 * The plugin's name holds a hash because opencode caches plugin modules by path. It is written last, so that its
 * presence says that everything else is in place: a repeated call costs one `stat`. Safe to repeat and to run together.
 *
 * @returns the path of the plugin
 */
export async function prepareOpencodeConfigDir(options: OpencodeConfigDirOptions): Promise<string> {
  const version = options.opencodeVersion ?? TESTED_OPENCODE_VERSION
  const hash = createHash('sha256').update(`${version}\n${options.pluginSource}`).digest('hex').slice(0, 12)
  const plugins = join(options.dir, 'plugins')
  const plugin = join(plugins, `gastown-${hash}.js`)
  if (await exists(plugin)) return plugin
  await seedAgainstNpm(options.dir, version)
  await mkdir(plugins, { recursive: true })
  for (const name of await readdir(plugins)) {
    if (/^gastown-[0-9a-f]+\.js$/.test(name) && join(plugins, name) !== plugin)
      await rm(join(plugins, name), { force: true })
  }
  await writeAtomically(plugin, options.pluginSource)
  return plugin
}

/**
 * The same for the servers of a town, with what is theirs alone: snapshots would run about ten git processes at each step of
 * each agent, and git keeps the work of agents anyway.
 */
export async function prepareOpencodeServerDir(options: OpencodeConfigDirOptions): Promise<string> {
  await mkdir(options.dir, { recursive: true })
  const config = {
    $schema: 'https://opencode.ai/config.json',
    snapshot: false,
    share: 'disabled',
    autoupdate: false,
  }
  await writeAtomically(join(options.dir, 'opencode.json'), `${JSON.stringify(config)}\n`)
  return prepareOpencodeConfigDir(options)
}

/**
 * opencode runs `npm install @opencode-ai/plugin` for each config directory, and the first session of a directory with
 * a plugin waits for it: over a minute without a network. A lock file that already names the package makes it skip that.
 * Seen with 1.18.33.
 */
export async function seedAgainstNpm(
  dir: string,
  opencodeVersion: string = TESTED_OPENCODE_VERSION,
): Promise<void> {
  await mkdir(join(dir, 'node_modules'), { recursive: true })
  const lock = {
    lockfileVersion: 3,
    packages: { '': { dependencies: { '@opencode-ai/plugin': opencodeVersion } } },
  }
  await writeAtomically(join(dir, 'package-lock.json'), `${JSON.stringify(lock)}\n`)
  await writeAtomically(
    join(dir, '.gitignore'),
    ['node_modules', 'package.json', 'package-lock.json', 'bun.lock', '.gitignore', ''].join('\n'),
  )
}

export interface IsolatedOpencodeOptions {
  /** A throw-away directory; becomes HOME and holds all XDG directories. */
  home: string
  /** What `prepareOpencodeConfigDir` made. */
  configDir: string
  /** opencode's configuration, inline. */
  configContent: Readonly<Record<string, unknown>>
}

/**
 * For tests and the demo: the environment of an opencode that reads nothing of the user's and needs no network.
 * Seeds its global config directory, which a person's own opencode would have filled long ago.
 */
export async function isolatedOpencodeEnv(options: IsolatedOpencodeOptions): Promise<Record<string, string>> {
  const config = join(options.home, '.config')
  const models = join(options.home, 'models.json')
  await seedAgainstNpm(join(config, 'opencode'))
  // An empty catalogue instead of the embedded one saves some 50 MB and most of the start's work.
  await writeAtomically(models, '{}\n')
  return {
    HOME: options.home,
    XDG_CONFIG_HOME: config,
    XDG_DATA_HOME: join(options.home, '.local', 'share'),
    XDG_STATE_HOME: join(options.home, '.local', 'state'),
    XDG_CACHE_HOME: join(options.home, '.cache'),
    OPENCODE_CONFIG_DIR: options.configDir,
    OPENCODE_CONFIG_CONTENT: JSON.stringify(options.configContent),
    OPENCODE_MODELS_PATH: models,
    ...OFFLINE_OPENCODE_ENV,
  }
}

/** No downloads, no updates, nothing of another program's settings. */
export const OFFLINE_OPENCODE_ENV: Readonly<Record<string, string>> = {
  OPENCODE_DISABLE_MODELS_FETCH: '1',
  OPENCODE_DISABLE_AUTOUPDATE: '1',
  OPENCODE_DISABLE_SHARE: '1',
  OPENCODE_DISABLE_LSP_DOWNLOAD: '1',
  OPENCODE_DISABLE_DEFAULT_PLUGINS: '1',
  OPENCODE_DISABLE_CLAUDE_CODE: '1',
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return false
      throw error
    },
  )
}

async function writeAtomically(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`
  await writeFile(temporary, text)
  await rename(temporary, path)
}
