import { mkdtemp, readdir, readFile, rm, stat, utimes } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { RUNTIME_PRESETS } from '../../src/config/runtime-presets.js'
import { launchArgv } from '../../src/domain/runtime.js'
import { isolatedOpencodeEnv, prepareOpencodeConfigDir } from '../../src/runtime-files/opencode-home.js'

let root: string
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'gtp-'))
})
afterEach(async () => {
  await rm(root, { recursive: true, force: true })
})

describe('the config directory of a town', () => {
  test('holds one plugin, named by its content, and the seed against npm', async () => {
    const dir = join(root, 'cfg')
    const first = await prepareOpencodeConfigDir({ dir, pluginSource: 'one' })
    const second = await prepareOpencodeConfigDir({ dir, pluginSource: 'two' })
    expect(second).not.toBe(first)
    expect(await readdir(join(dir, 'plugins'))).toEqual([second.split('/').at(-1)])
    expect(await readFile(second, 'utf8')).toBe('two')
    expect((await readdir(dir)).sort()).toEqual([
      '.gitignore',
      'node_modules',
      'package-lock.json',
      'plugins',
    ])
    expect(await readFile(join(dir, 'package-lock.json'), 'utf8')).toContain('"@opencode-ai/plugin"')
  })

  test('is left alone when it is complete, also by many at once', async () => {
    const dir = join(root, 'cfg')
    const made = await Promise.all(
      Array.from({ length: 8 }, () => prepareOpencodeConfigDir({ dir, pluginSource: 'one' })),
    )
    expect(new Set(made).size).toBe(1)
    const plugin = made[0] ?? ''
    await utimes(plugin, 1, 1)
    await prepareOpencodeConfigDir({ dir, pluginSource: 'one' })
    expect((await stat(plugin)).mtimeMs).toBe(1_000)
    expect((await readdir(join(dir, 'plugins'))).length).toBe(1)
  })
})

test('an isolated opencode keeps everything below its home', async () => {
  const env = await isolatedOpencodeEnv({
    home: root,
    configDir: '/town/cfg',
    configContent: { model: 'x/y' },
  })
  for (const name of ['HOME', 'XDG_CONFIG_HOME', 'XDG_DATA_HOME', 'XDG_STATE_HOME', 'XDG_CACHE_HOME']) {
    expect(env[name]?.startsWith(root)).toBe(true)
  }
  expect(env.OPENCODE_CONFIG_DIR).toBe('/town/cfg')
  expect(JSON.parse(env.OPENCODE_CONFIG_CONTENT ?? '')).toEqual({ model: 'x/y' })
  expect(await readdir(join(root, '.config', 'opencode'))).toContain('package-lock.json')
})

describe('the opencode preset', () => {
  const runtime = RUNTIME_PRESETS.opencode
  test('gives a prompt as one argument that cannot be a flag and does not end in @word', () => {
    const argv = launchArgv(runtime, { prompt: '-x see @file', model: 'p/m' })
    expect(argv).toEqual(['opencode', '--auto', '-m', 'p/m', '--prompt=-x see @file '])
  })
  test('resumes and forks a conversation', () => {
    const resume = launchArgv(runtime, { session: 'ses_1', mode: 'resume' })
    expect(resume).toEqual(['opencode', '--auto', '-s', 'ses_1'])
    expect(launchArgv(runtime, { session: 'ses_1', mode: 'fork' })).toEqual([...resume, '--fork'])
  })
  test('denies questions and pushes, as the last matching rules', () => {
    const rules = JSON.parse(runtime.env.OPENCODE_PERMISSION ?? '{}') as Record<string, unknown>
    expect(rules).toEqual({ '*': 'allow', question: 'deny', bash: { '*': 'allow', 'git push*': 'deny' } })
    expect(Object.keys(rules)[0]).toBe('*')
  })
})
