import { describe, expect, it } from 'vitest'
import { fillText, launchArgv } from '../../src/domain/runtime.js'
import { passedEnv, sessionEnv } from '../../src/domain/session-env.js'
import { aRuntime } from './make.js'

describe('launchArgv', () => {
  const runtime = aRuntime()
  it('puts the groups together that have values', () => {
    expect(launchArgv(runtime, {})).toEqual(['prog', '--fixed', '--yes'])
    expect(launchArgv(runtime, { autonomous: false })).toEqual(['prog', '--fixed'])
    expect(launchArgv(runtime, { model: 'big', prompt: 'do it' })).toEqual([
      'prog',
      '--fixed',
      '--yes',
      '-m',
      'big',
      '--prompt=do it ',
    ])
    expect(launchArgv(runtime, { mode: 'resume', session: 'ses' })).toEqual([
      'prog',
      '--fixed',
      '--yes',
      '-s',
      'ses',
    ])
    expect(launchArgv(runtime, { mode: 'fork', session: 'ses', extraArgs: ['--x'] })).toEqual([
      'prog',
      '--fixed',
      '--yes',
      '-s',
      'ses',
      '--fork',
      '--x',
    ])
  })
  it('leaves a whole group out when a value is missing', () => {
    expect(launchArgv(runtime, { mode: 'resume' })).toEqual(['prog', '--fixed', '--yes'])
    expect(launchArgv(aRuntime({ promptArgs: ['-f', '{prompt_file}'] }), { prompt: 'x' })).toEqual([
      'prog',
      '--fixed',
      '--yes',
    ])
  })
  it('fills in once: a prompt that looks like a placeholder stays as it is', () => {
    expect(launchArgv(runtime, { prompt: '{model} $(rm -rf /) "\'', model: 'm' }).at(-1)).toBe(
      '--prompt={model} $(rm -rf /) "\' ',
    )
    expect(fillText('{unknown} {a}', { a: '{b}', b: 'x' })).toBe('{unknown} {b}')
    expect(fillText('{constructor}', {})).toBe('{constructor}')
  })
})

const identity = {
  town: '/t',
  agent: 'proj/toast',
  role: 'polecat',
  rig: 'proj',
  bead: 'issue-1',
  session: 's-1',
  targetBranch: 'main',
  stalledAfterMs: 300_000,
  autonomous: true,
  gtProgram: '/gt/bin/gt',
  gtFolder: '/gt/bin',
  runDir: '/t/run',
  bellDir: '/t/run/bells',
}

/** What an enclosing session, a CI or a careless shell leaves in the environment. */
const CALLER = {
  PATH: '/usr/bin',
  HOME: '/home/me',
  LC_ALL: 'de_DE.UTF-8',
  HTTPS_PROXY: 'http://proxy',
  GITHUB_TOKEN: 'secret',
  NPM_TOKEN: 'secret',
  AWS_SECRET_ACCESS_KEY: 'secret',
  DATABASE_URL: 'secret',
  ANTHROPIC_API_KEY: 'secret',
  GT_TOWN: '/other',
  GT_AGENT: 'other/agent',
  GT_KILL_AT: 'sling.claimed',
  GT_NODE: '/x/node',
  GT_ANYTHING: 'x',
  TMUX: '/tmp/tmux,1,2',
  TMUX_PANE: '%1',
  OPENCODE_SERVER_PASSWORD: 'secret',
  OPENCODE_CONFIG_CONTENT: '{}',
  CLAUDECODE: '1',
  GIT_DIR: '/elsewhere',
  GIT_WORK_TREE: '/elsewhere',
  GIT_INDEX_FILE: '/elsewhere',
  NODE_OPTIONS: '--inspect',
  LD_PRELOAD: '/x.so',
  EDITOR: 'vi',
}

describe('the environment of a session', () => {
  const env = (passEnv: string[] = [], runtimePassEnv: string[] = []) =>
    sessionEnv({
      caller: CALLER,
      passEnv,
      runtime: aRuntime({
        passEnv: runtimePassEnv,
        env: { CONFIG: '{config_dir}/x', GONE: '{nothing_such}', WHO: '{agent}' },
      }),
      identity,
      places: { config_dir: '/t/run/opencode' },
    })

  it('holds nothing of the caller that is not on the list', () => {
    const made = env()
    expect(JSON.stringify(made)).not.toContain('secret')
    for (const name of [
      'TMUX',
      'TMUX_PANE',
      'OPENCODE_CONFIG_CONTENT',
      'CLAUDECODE',
      'GT_KILL_AT',
      'GT_NODE',
      'GT_ANYTHING',
      'GIT_DIR',
      'GIT_WORK_TREE',
      'GIT_INDEX_FILE',
      'NODE_OPTIONS',
      'LD_PRELOAD',
      'EDITOR',
    ])
      expect(made).not.toHaveProperty(name)
    expect(made).toMatchObject({ HOME: '/home/me', LC_ALL: 'de_DE.UTF-8', HTTPS_PROXY: 'http://proxy' })
  })

  it('says who the agent is, whatever the caller was', () => {
    expect(env()).toMatchObject({
      GT_TOWN: '/t',
      GT_AGENT: 'proj/toast',
      GT_ROLE: 'polecat',
      GT_RIG: 'proj',
      GT_BEAD: 'issue-1',
      GT_SESSION: 's-1',
      GT_TARGET_BRANCH: 'main',
      GT_BIN: '/gt/bin/gt',
      GT_RUN_DIR: '/t/run',
      GT_BELL_DIR: '/t/run/bells',
      PATH: '/gt/bin:/usr/bin',
      CONFIG: '/t/run/opencode/x',
      WHO: 'proj/toast',
    })
  })

  it('passes on what the town or the runtime names, and cannot be talked into another identity', () => {
    expect(env(['DATABASE_URL'], ['ANTHROPIC_API_KEY'])).toMatchObject({
      DATABASE_URL: 'secret',
      ANTHROPIC_API_KEY: 'secret',
    })
    expect(env(['GT_AGENT', 'GT_TOWN']).GT_AGENT).toBe('proj/toast')
    expect(env(['GT_AGENT', 'GT_TOWN']).GT_TOWN).toBe('/t')
  })

  it('for gates is the same list without an identity', () => {
    const made = passedEnv(CALLER, [])
    expect(Object.keys(made).sort()).toEqual(['HOME', 'HTTPS_PROXY', 'LC_ALL', 'PATH'])
  })
})
