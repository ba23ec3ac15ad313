import { describe, expect, it } from 'vitest'
import { lineOfKey } from '../../src/config/key-lines.js'
import { parseText, refuse } from './support.js'

describe('parse-config', () => {
  it('gives an empty text all defaults', () => {
    const config = parseText('')
    expect(config).toMatchObject({
      name: 'town',
      backend: 'tmux',
      runtime: 'opencode',
      role: 'polecat',
      passEnv: [],
      limits: { agents: 30, primeBytes: 6_144, mailBytes: 8_192, nudgeBytes: 4_096 },
      store: { archiveAfterMs: 90 * 86_400_000 },
      rigs: {},
    })
    expect(parseText('[store]\narchive_after = "30d"').store.archiveAfterMs).toBe(30 * 86_400_000)
    expect(config.roles.polecat).toMatchObject({ ends: 'done', autonomous: true })
    expect(config.roles.crew).toMatchObject({ ends: 'never' })
    expect(Object.keys(config.runtimes)).toEqual(['opencode', 'custom'])
  })

  it('names every problem at once, with line and key, in the order of the file', () => {
    const { lines, error } = refuse(`[town]
name = "Not A Name"
colour = "red"

[orchestration]
backend = "docker"
pass_env = "PATH"

[limits]
agents = 0

[rigs.both]
url = "https://example.org/x.git"
path = "/x"

[rigs.neither]
branch = "main"

[[rigs.neither.gates]]
name = "slow"
run = "true"
timeout = "soon"
`)
    expect(lines).toEqual([
      expect.stringMatching(/^2: town\.name: must be 1 to 32/),
      '3: town.colour: unknown key',
      expect.stringMatching(/^6: orchestration\.backend: .*"tmux"/),
      expect.stringMatching(/^7: orchestration\.pass_env: .*expected array/),
      expect.stringMatching(/^10: limits\.agents: .*>=1/),
      expect.stringMatching(/^12: rigs\.both: needs exactly one of "url" and "path"/),
      expect.stringMatching(/^16: rigs\.neither: needs exactly one/),
      expect.stringMatching(/^22: rigs\.neither\.gates\.0\.timeout: must be a duration/),
    ])
    expect(error.exitCode).toBe(3)
    expect(error.message).toContain('town.toml has 8 problems:\n  /t/town.toml:2: town.name: ')
  })

  it('finds the syntax errors behind the first one', () => {
    const { lines } = refuse('[town\nname = "x"\n[limits]\nagents = \nprime_bytes = 5000 5\n')
    expect(lines.map((line) => line.split(':')[0])).toEqual(['1', '4', '5'])
    for (const line of lines) expect(line).toContain('not TOML')
  })

  it('says which of two equal keys is too much', () => {
    const { lines } = refuse('[town]\nname = "a"\nname = "b"\n')
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatch(/^[23]: /)
  })

  it.each([
    ['500ms', 500],
    ['90s', 90_000],
    ['1.5m', 90_000],
    ['2h', 7_200_000],
    ['90d', 7_776_000_000],
  ])('reads the duration %s', (text, ms) => {
    const config = parseText(
      `[rigs.a]\npath = "/a"\n[[rigs.a.gates]]\nname = "g"\nrun = "true"\ntimeout = "${text}"\n`,
    )
    expect(config.rigs.a?.gates[0]?.timeoutMs).toBe(ms)
  })

  it.each(['', '10', '0s', '-1s', '1 h', 's'])('refuses the duration "%s"', (text) => {
    expect(
      refuse(`[rigs.a]\npath = "/a"\n[[rigs.a.gates]]\nname = "g"\nrun = "true"\ntimeout = "${text}"\n`)
        .lines,
    ).toEqual([expect.stringMatching(/^6: rigs\.a\.gates\.0\.timeout: must be a duration/)])
  })

  it('resolves roles: a built-in one changed, one of your own, a template that is missing', () => {
    const config = parseText(
      '[roles.polecat]\nmodel = "big"\n[roles.scribe]\ntemplate = "scribe.md"\nruntime = "opencode"\nends = "done"\n',
      { 'scribe.md': 'You write.' },
    )
    expect(config.roles.polecat).toMatchObject({ ends: 'done', model: 'big' })
    expect(config.roles.polecat?.template).toContain('polecat')
    expect(config.roles.scribe).toEqual({
      name: 'scribe',
      template: 'You write.',
      ends: 'done',
      autonomous: true,
      runtime: 'opencode',
    })
    expect(
      refuse('[roles.scribe]\nends = "never"\n[roles.other]\ntemplate = "gone.md"\nruntime = "opencod"\n')
        .lines,
    ).toEqual([
      '1: roles.scribe: a role of your own needs "template"',
      '4: roles.other.template: cannot read gone.md',
      '5: roles.other.runtime: no runtime "opencod", did you mean "opencode"?',
    ])
  })

  it('resolves runtimes: a custom one, a built-in one extended', () => {
    const { runtimes } = parseText(`
[runtimes.mine]
command = ["mine", "--fast"]
ready = { kind = "delay", delay = "1s" }
submit = { enter_delay = "50ms", max_bytes = 300 }
[runtimes.careful]
extends = "opencode"
env = { A = "1" }
`)
    expect(runtimes.mine).toMatchObject({
      name: 'mine',
      command: ['mine', '--fast'],
      hooks: 'none',
      ready: { kind: 'delay', delayMs: 1_000 },
      submit: { enterDelayMs: 50, maxBytes: 300, prefix: '[gt] ' },
    })
    expect(runtimes.careful).toMatchObject({ name: 'careful', command: ['opencode'], hooks: 'plugin' })
    expect(runtimes.careful?.env).toMatchObject({ A: '1', OPENCODE_CONFIG_DIR: '{config_dir}' })
    expect(refuse('[runtimes.x]\nextends = "opencod"\ncommand = ["x"]\n[runtimes.y]\n').lines).toEqual([
      '2: runtimes.x.extends: no runtime "opencod", did you mean "opencode"?',
      '4: runtimes.y: needs "command"',
    ])
  })

  it('resolves rigs: prefix from the name, default branch, runtimes that do not exist', () => {
    const { rigs } = parseText(
      '[rigs.my-long-project]\npath = "/p"\n[rigs.9to5]\nurl = "git@host:x.git"\nprefix = "w"\n',
    )
    expect(rigs['my-long-project']).toMatchObject({ branch: 'main', prefix: 'mylongpr', gates: [] })
    expect(rigs['9to5']).toMatchObject({ prefix: 'w', source: { kind: 'url', url: 'git@host:x.git' } })
    expect(
      refuse(
        '[orchestration]\nruntime = "opencde"\nrole = "polcat"\n[rigs.a]\npath = "/a"\nruntime = "nope"\n',
      ).lines,
    ).toEqual([
      '2: orchestration.runtime: no runtime "opencde", did you mean "opencode"?',
      '3: orchestration.role: no role "polcat", did you mean "polecat"?',
      '6: rigs.a.runtime: no runtime "nope"; known: opencode, custom',
    ])
    expect(
      refuse('[rigs.Bad_Name]\npath = "/a"\n[rigs.b]\npath = "relative"\nbranch = "-x"\n').lines,
    ).toEqual([
      expect.stringMatching(/^1: rigs\.Bad_Name: /),
      '4: rigs.b.path: must be an absolute path',
      '5: rigs.b.branch: must be a branch name',
    ])
  })

  it('is not fooled by names that every object has', () => {
    expect(refuse('[orchestration]\nruntime = "constructor"\nrole = "toString"\n').lines).toHaveLength(2)
    expect(refuse('[runtimes.a]\nextends = "constructor"\ncommand = ["a"]\n').lines).toHaveLength(1)
    expect(refuse('[roles.constructor]\nends = "done"\n').lines).toEqual([
      '1: roles.constructor: a role of your own needs "template"',
    ])
  })
})

describe('lineOfKey', () => {
  const text = `# a comment
[a]
b = 1
"c d" = 2
e.f = 3

[[list]]
x = 1
[[list]]
y = { z = 1 }
`
  it.each([
    [['a'], 2],
    [['a', 'b'], 3],
    [['a', 'c d'], 4],
    [['a', 'e', 'f'], 5],
    [['list', 0, 'x'], 8],
    [['list', 1], 9],
    [['list', 1, 'y', 'z'], 10],
    [['a', 'absent'], 2],
    [['absent'], undefined],
  ])('finds %j', (path, line) => {
    expect(lineOfKey(text, path)).toBe(line)
  })
})
