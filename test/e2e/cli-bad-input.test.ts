import { execFileSync, spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { GT, PACKAGE_DIR, type Ran, run } from '../support/run-gt.js'
import { type TestTown, testTown } from '../support/test-town.js'
import {
  bead,
  CONTROL,
  createBeads,
  expectJsonRefusal,
  expectRefusal,
  footprint,
  gitAsk,
  type Refusal,
  sessions,
  slingOne,
  type WorkTown,
  workTown,
} from './support-work.js'

interface Listed {
  name: string
  aliases: string[]
}

/** Every command, from its file: what is not in the overview as well. */
const commandFiles = filesBelow(join(PACKAGE_DIR, 'src/cli/commands')).map((file) =>
  readFileSync(file, 'utf8'),
)
const commands = commandFiles.map((text) => ({
  name: /^ {2}name: '([^']+)'/m.exec(text)?.[1] ?? '',
  internal: /^ {2}internal: true/m.test(text),
  needsArgument: /args: \[[^\]]*?required: true/s.test(text),
}))

describe('bad input', () => {
  let made: WorkTown
  let town: TestTown
  let before: string

  beforeAll(async () => {
    made = await workTown()
    town = made.town
    await createBeads(town, 'issue-1', 'issue-2', 'issue-31', 'issue-32')
    await slingOne(town, 'issue-1', 'proj')
    await town.ok('convoy', 'create', 'release', 'issue-1')
    await town.ok('mail', 'send', 'toast', 'hello')
    before = footprint(made)
  })
  afterAll(() => made[Symbol.asyncDispose]())

  /** As text and as JSON: the same refusal. */
  const refused = async (args: readonly string[], wanted: Refusal): Promise<void> => {
    const [text, json] = await Promise.all([town.gt(...args), town.gt(...args, '--json')])
    expectRefusal(text, wanted)
    const error = expectJsonRefusal(json, wanted)
    expect(text.stderr).toContain(visible(error.message).split('\n')[0])
  }

  it('an unknown option is refused by every command, with the usage line', async () => {
    await inPool(commands, async ({ name }) => {
      const args = [...name.split(' '), '--no-such-option']
      await refused(args, { exitCode: 2, says: /unknown option '--no-such-option'/ })
    })
    const ran = await town.gt('bead', 'show', '--jsn', 'issue-1')
    expectRefusal(ran, { exitCode: 2, hint: /Did you mean --json\?/ })
    expect(ran.stderr).toMatch(/^usage: gt bead show \[options\] <bead>$/m)
  })

  it('a missing argument is named by every command that needs one', async () => {
    const needing = commands.filter((command) => command.needsArgument)
    expect(needing.length).toBeGreaterThan(20)
    await inPool(needing, async ({ name }) => {
      await refused(name.split(' '), {
        exitCode: 2,
        says: /missing required argument '\w+'/,
        hint: new RegExp(`gt ${name} --help`),
      })
    })
  })

  it('too many arguments are refused', async () => {
    await refused(['bead', 'show', 'issue-1', 'issue-2'], { exitCode: 2, says: /too many arguments/ })
    expectRefusal(await town.gt('status', '--town'), { exitCode: 2, says: /argument missing/ })
    await refused(['status', 'now'], { exitCode: 2, says: /too many arguments/ })
  })

  const BEAD = {
    exitCode: 4,
    code: 'bead-not-found',
    says: /there is no bead "isue-2"/,
    hint: /did you mean issue-2\?/,
  }
  const AGENT = {
    exitCode: 4,
    code: 'agent-not-found',
    says: /there is no agent "tost"/,
    hint: /did you mean toast\?/,
  }
  const RIG = {
    exitCode: 4,
    code: 'rig-not-found',
    says: /there is no rig "prj"/,
    hint: /did you mean proj\?/,
  }
  const MAIL = {
    exitCode: 4,
    code: 'mail-not-found',
    says: /there is no mail "m-zzzzz"/,
    hint: /gt mail inbox --all|did you mean/,
  }
  const MERGE = {
    exitCode: 4,
    code: 'merge-not-found',
    says: /there is no merge queue entry "mq-zzzzz"/,
    hint: /gt mq list/,
  }
  const CONVOY = {
    exitCode: 4,
    code: 'convoy-not-found',
    says: /there is no convoy "cv-zzzzz"/,
    hint: /gt convoy list|did you mean/,
  }
  const unknown: [string, Refusal][] = [
    ['bead show isue-2', BEAD],
    ['bead update isue-2 -p 1', BEAD],
    ['bead close isue-2', BEAD],
    ['bead reopen isue-2', BEAD],
    ['bead comment isue-2 text', BEAD],
    ['bead dep isue-2 issue-1', BEAD],
    ['bead dep issue-1 isue-2', BEAD],
    ['bead create x --blocked-by isue-2', BEAD],
    ['convoy create title isue-2', BEAD],
    ['unsling isue-2', BEAD],
    ['unsling isue-2 --dry-run', BEAD],
    ['sling isue-2 proj', BEAD],
    ['bead list --agent tost', AGENT],
    ['hook --as tost', AGENT],
    ['prime --as tost', AGENT],
    ['done --as tost', AGENT],
    ['mail send tost subject', AGENT],
    ['mail inbox --as tost', AGENT],
    ['mail check --as tost', AGENT],
    ['nudge tost text', AGENT],
    ['peek tost', AGENT],
    ['tail tost', AGENT],
    ['attach tost', AGENT],
    ['agent show tost', AGENT],
    ['agent start tost', AGENT],
    ['agent stop tost', AGENT],
    ['agent resume tost', AGENT],
    ['agent abort tost', AGENT],
    ['rig show prj', RIG],
    ['rig remove prj', RIG],
    ['rig remove prj --dry-run', RIG],
    ['salvage list --rig prj', RIG],
    ['bead create x --rig prj', RIG],
    ['bead update issue-2 --rig prj', RIG],
    ['sling issue-2 prj', RIG],
    ['mail read m-zzzzz', MAIL],
    ['mail reply m-zzzzz text', MAIL],
    ['mq show mq-zzzzz', MERGE],
    ['mq retry mq-zzzzz', MERGE],
    ['convoy show cv-zzzzz', CONVOY],
    ['convoy close cv-zzzzz', CONVOY],
    ['convoy add cv-zzzzz issue-2', CONVOY],
    [
      'sling issue-2 proj --agent bre',
      { exitCode: 4, code: 'runtime-not-found', hint: /did you mean bare\?/ },
    ],
    [
      'sling issue-2 proj --role polcat',
      { exitCode: 4, code: 'role-not-found', hint: /did you mean polecat\?/ },
    ],
    ['sling issue-2 proj --base nope', { exitCode: 4, code: 'branch-not-found', says: /nope/ }],
  ]
  it('an unknown name gets the nearest one', async () => {
    await inPool(unknown, ([line, wanted]) => refused(line.split(' '), wanted))
  })

  const wrong: [string[], Refusal][] = [
    [['bead', 'create', 'x', '-p', '9'], { exitCode: 2, says: /priority "9"/ }],
    [['bead', 'create', ' \t '], { exitCode: 2, says: /needs a title/ }],
    [['bead', 'create', 'x'.repeat(501)], { exitCode: 2, says: /501 characters, at most 500/, hint: /-m/ }],
    [['bead', 'create', '--id', 'a b', 'x'], { exitCode: 2, code: 'bad-bead-id' }],
    [
      ['bead', 'create', '--id', 'issue-2', 'x'],
      { exitCode: 5, code: 'bead-exists', hint: /gt bead show issue-2/ },
    ],
    [['bead', 'list', '-s', 'opne'], { exitCode: 2, says: /"opne" is not a status/, hint: /open, / }],
    [['bead', 'update', 'issue-2'], { exitCode: 2, says: /nothing to change/ }],
    [['bead', 'update', 'issue-2', '-s', 'closed'], { exitCode: 2, hint: /gt bead close/ }],
    [
      ['bead', 'update', 'issue-1', '-s', 'deferred'],
      { exitCode: 5, code: 'bead-busy', hint: /gt unsling issue-1/ },
    ],
    [['bead', 'close', 'issue-1'], { exitCode: 5, code: 'bead-busy', says: /hooked by proj\/toast/ }],
    [['bead', 'reopen', 'issue-1'], { exitCode: 5, code: 'bead-busy' }],
    [['bead', 'dep', 'issue-2', 'issue-2'], { exitCode: 5, code: 'dependency-cycle' }],
    [['bead', 'comment', 'issue-2', ''], { exitCode: 2, says: /empty comment/ }],
    [['bead', 'show', ''], { exitCode: 4, says: /no bead ""/ }],
    [
      ['bead', 'show', 'issue-3'],
      { exitCode: 2, code: 'ambiguous-id', says: /"issue-3" fits 2 of them: issue-31, issue-32/ },
    ],
    [['events', '-n', '0'], { exitCode: 2, says: /--limit "0" is not a whole number of at least 1/ }],
    [['peek', 'toast', '-n', 'many'], { exitCode: 2, says: /--lines "many"/ }],
    [['tail', 'toast', '-n', '-5'], { exitCode: 2 }],
    [
      ['sling', 'issue-2', 'proj', '--backend', 'docker'],
      {
        exitCode: 2,
        code: 'bad-backend',
        says: /there is no backend "docker"/,
        hint: /tmux, opencode, hybrid/,
      },
    ],
    [['sling', 'issue-2', 'proj', '--name', 'Bad Name'], { exitCode: 2, code: 'bad-agent-name' }],
    [
      ['sling', 'issue-2', 'issue-31', 'proj', '--name', 'max'],
      { exitCode: 2, says: /--name fits only one bead/ },
    ],
    [
      ['sling', 'issue-2', 'proj', '--name', 'toast'],
      { exitCode: 5, code: 'agent-busy', says: /works on issue-1/ },
    ],
    [['sling', 'issue-1', 'proj'], { exitCode: 5, code: 'bead-taken', hint: /gt unsling issue-1/ }],
    [
      ['sling', 'issue-2', 'proj', '--agent', 'custom'],
      { exitCode: 1, code: 'no-command', hint: /town\.toml/ },
    ],
    [['unsling', 'issue-2'], { exitCode: 5, says: /issue-2 is open: no agent holds it/ }],
    [['done', '--as', 'toast'], { exitCode: 1, code: 'empty-branch' }],
    [['hook'], { exitCode: 2, code: 'no-agent', hint: /--as/ }],
    [['prime'], { exitCode: 2, code: 'no-agent' }],
    [['mail', 'send', 'toast', ' '], { exitCode: 2, says: /needs a subject/ }],
    [['mail', 'send', 'toast', 'x'.repeat(301)], { exitCode: 2, says: /at most 300/ }],
    [['nudge', 'toast', ' '], { exitCode: 2, says: /nothing to say/ }],
    [['rig', 'add', 'proj', '/tmp'], { exitCode: 5, code: 'rig-exists' }],
    [['rig', 'add', 'Bad', '/tmp'], { exitCode: 2, code: 'bad-rig-name' }],
    [['rig', 'add', 'new', '/no/such/place'], { exitCode: 2, code: 'no-such-source' }],
    [
      ['rig', 'add', 'new', '/'],
      { exitCode: 2, code: 'not-a-repository', says: /\/ is not a git repository/ },
    ],
    [['rig', 'add', 'new', 'file:///no/such/remote.git'], { exitCode: 6 }],
    [['rig', 'add', 'new', '../proj'], { exitCode: 5, code: 'rig-known', hint: /gt rig show proj/ }],
    [['rig', 'remove', 'proj'], { exitCode: 5, code: 'rig-busy', hint: /gt unsling issue-1/ }],
    [['agent', 'start', 'toast'], { exitCode: 5, code: 'already-running' }],
    [['attach', 'toast'], { exitCode: 1, code: 'no-terminal', hint: /--print/ }],
    [['init', '.'], { exitCode: 5, code: 'town-exists' }],
    [['init', '..'], { exitCode: 5, code: 'not-empty' }],
    [['slng', 'x'], { exitCode: 2, code: 'unknown-command', hint: /did you mean gt sling\?/ }],
    [['bead', 'shwo', 'x'], { exitCode: 2, code: 'unknown-command', hint: /did you mean gt bead show\?/ }],
    [['zzzzzzzzz'], { exitCode: 2, hint: /gt --help/ }],
    [['help', 'slng'], { exitCode: 2, hint: /did you mean gt sling\?/ }],
    [['--town', '.', 'status'], { exitCode: 2, says: /options come after the command/ }],
  ]
  it('a value that cannot be is refused, with what to do', async () => {
    await inPool(wrong, ([args, wanted]) =>
      // `attach --json` prints the command instead of attaching.
      args[0] === 'attach'
        ? town.gt(...args).then((ran) => expectRefusal(ran, wanted))
        : refused(args, wanted),
    )
  })

  const HOSTILE = [
    '$(touch pwned)',
    '`touch pwned`',
    'a;touch pwned',
    'a\nhint: rm -rf /',
    '\u001b[2J\u001b]0;x\u0007',
    '\u009b31m',
    '../../etc',
    '-x',
    '#{pane_id}',
    'a\u007f',
  ]
  it('hostile names are shown harmlessly and never run', async () => {
    await inPool(HOSTILE, async (name) => {
      const dashed = name.startsWith('-') ? ['--', name] : [name]
      for (const args of [
        ['bead', 'create', 'x', `--id=${name}`],
        ['bead', 'show', ...dashed],
        ['mail', 'send', ...dashed, 'subject'],
        ['rig', 'show', ...dashed],
        ['rig', 'add', 'new', ...dashed],
        ['sling', 'issue-2', 'proj', `--agent=${name}`],
        ['sling', 'issue-2', 'proj', `--name=${name}`],
        ['bead', 'list', `--status=${name}`],
        ['events', `--limit=${name}`],
        ['status', `--town=${name}`],
        ['status', `--${name}`],
        [name.startsWith('-') ? 'x' : name],
      ]) {
        const text = await town.gt(...args)
        expect([2, 4], `${JSON.stringify(args)}\n${text.stderr}`).toContain(text.exitCode)
        expectRefusal(text, { exitCode: text.exitCode ?? -1 })
        expect(text.stderr.match(/^hint: /gm)?.length ?? 0, text.stderr).toBeLessThanOrEqual(1)
      }
      expectJsonRefusal(await town.gt('bead', 'show', '--json', ...dashed), { exitCode: 4 })
    })
    for (const dir of [town.root, town.dir, made.clone]) expect(existsSync(join(dir, 'pwned'))).toBe(false)
  })

  it('leaves no trace of all that', async () => {
    expect(footprint(made)).toBe(before)
    expect(await sessions(town)).toEqual(['proj/toast'])
  })

  it('text that would drive a terminal comes out harmless', async () => {
    const evil = 'red \u001b[31m bell \u0007 c1 \u009b2J'
    await town.ok('bead', 'create', '--id', 'evil', evil, '-m', evil, '-l', evil, '--type', evil)
    await town.ok('bead', 'comment', 'evil', evil)
    await town.ok('mail', 'send', 'human', evil, '-m', evil)
    const { convoy } = await town.json<{ convoy: { id: string } }>('convoy', 'create', evil, 'evil')
    for (const args of [
      ['bead', 'create', evil],
      ['bead', 'show', 'evil'],
      ['bead', 'list'],
      ['bead', 'ready'],
      ['mail', 'inbox'],
      ['mail', 'check'],
      ['convoy', 'show', convoy.id],
      ['convoy', 'list'],
      ['events'],
      ['status'],
      ['bead', 'close', 'evil', '-r', evil],
      ['bead', 'show', 'evil'],
    ]) {
      const ran = await town.gt(...args)
      expect(ran.exitCode, ran.stderr).toBe(0)
      expect(CONTROL.test(ran.stdout), `${args.join(' ')}\n${JSON.stringify(ran.stdout)}`).toBe(false)
    }
  })

  it('300 KB: a nudge is refused with the way by mail, a mail is delivered to the letter', async () => {
    const big = `${'漢字 and "quotes" $HOME \\ \n'.repeat(11_000)}end`
    expect(Buffer.byteLength(big)).toBeGreaterThan(300_000)
    const nudge = await town.gtIn(town.root, { input: big }, 'nudge', 'toast', '-m', '-')
    expectRefusal(nudge, {
      exitCode: 2,
      says: /has \d+ bytes; at most 4096 are typed/,
      hint: /gt mail send toast/,
    })
    const sent = await town.gtIn(
      town.root,
      { input: big },
      'mail',
      'send',
      'toast',
      'big',
      '-m',
      '-',
      '--json',
    )
    expect(sent.exitCode, sent.stderr).toBe(0)
    const { mail } = JSON.parse(sent.stdout) as { mail: { shownId: string; body: string } }
    expect((await town.json<{ mail: { body: string } }>('mail', 'read', mail.shownId)).mail.body).toBe(big)
    const shown = await town.ok('mail', 'check', '--as', 'toast')
    expect(Buffer.byteLength(shown)).toBeLessThanOrEqual(8_192)
    expect(shown).toContain(`gt mail read ${mail.shownId}`)
    const tooBig = await town.gtIn(
      town.root,
      { input: 'x'.repeat(1_048_577) },
      'mail',
      'send',
      'toast',
      'big',
      '-m',
      '-',
    )
    expectRefusal(tooBig, { exitCode: 2, says: /at most 1 MiB/ })
  })
})

describe('where the town is', () => {
  it('is said when there is none, or GT_TOWN or --town is wrong', async () => {
    await using town = await testTown({ bare: true })
    const at = (env: Record<string, string>, ...args: string[]) => town.gtIn(town.dir, { env }, ...args)
    for (const args of [['status'], ['bead', 'list'], ['prime'], ['mail', 'check'], ['mq', 'run']]) {
      expectRefusal(await at({}, ...args), {
        exitCode: 4,
        says: /there is no town here, and none in ~\/gt/,
        hint: /gt init/,
      })
      expectJsonRefusal(await at({}, ...args, '--json'), { exitCode: 4, code: 'no-town' })
    }
    expectRefusal(await at({ GT_TOWN: '/no/such' }, 'status'), {
      exitCode: 4,
      says: /\/no\/such is not a town/,
      hint: /gt init \/no\/such/,
    })
    expectRefusal(await at({}, 'status', '--town', 'nope'), { exitCode: 4, says: /nope is not a town/ })
    // --help needs no town.
    expect((await at({ GT_TOWN: '/no/such' }, 'status', '--help')).exitCode).toBe(0)
  })

  it('does not matter with --town or GT_TOWN', async () => {
    await using town = await testTown()
    const elsewhere = { cwd: '/', env: town.env }
    expect(
      (await run(GT, ['bead', 'create', '--id', 'b-1', 'x', '--town', town.root], elsewhere)).exitCode,
    ).toBe(0)
    expect((await run(GT, ['bead', 'list', '--town', town.root], elsewhere)).stdout).toContain('b-1')
    expect(
      (await run(GT, ['bead', 'show', 'b-1', `--town=${town.root.slice(1)}`], elsewhere)).stdout,
    ).toContain('b-1')
    const env = { ...town.env, GT_TOWN: town.root }
    expect((await run(GT, ['bead', 'list'], { cwd: '/', env })).stdout).toContain('b-1')
    mkdirSync(join(town.root, 'deep/deeper'), { recursive: true })
    expect((await town.gtIn(join(town.root, 'deep/deeper'), {}, 'bead', 'list')).stdout).toContain('b-1')
  })

  it('a broken town.toml is told with every mistake at once: file, line and key', async () => {
    await using town = await testTown()
    const file = join(town.root, 'town.toml')
    const good = readFileSync(file, 'utf8')
    const broken = `[town]
name = "x"
colour = "red"

[orchestration]
backend = "docker"
pass_env = "PATH"

[limits]
agents =

[rigs.both]
url = "https://example.org/x.git"
path = "/x"
`
    writeFileSync(file, broken)
    for (const args of [['config', 'check'], ['status'], ['prime'], ['bead', 'create', 'x']]) {
      const ran = await town.gt(...args)
      expectRefusal(ran, { exitCode: 3, says: /town\.toml has 5 problems:/, hint: /town\.toml\.example/ })
      for (const line of [
        '3: town.colour: unknown key',
        '6: orchestration.backend: ',
        '7: orchestration.pass_env: ',
        '10: agents =: not TOML',
        '12: rigs.both: needs exactly one',
      ])
        expect(ran.stderr).toContain(`  ${file}:${line}`)
    }
    const error = expectJsonRefusal(await town.gt('status', '--json'), { exitCode: 3, code: 'bad-config' })
    expect(error.details?.problems).toHaveLength(5)
    expect(error.details?.problems).toContainEqual({ line: 3, key: 'town.colour', message: 'unknown key' })
    // A change is refused as long as the file is wrong, and the file stays as it is.
    const repository = town.makeRepository('proj', { 'a.txt': 'a' })
    expectRefusal(await town.gt('rig', 'add', 'proj', repository), { exitCode: 3 })
    expect(readFileSync(file, 'utf8')).toBe(broken)
    writeFileSync(file, good)
    await town.ok('config', 'check')
  })

  it('a rig without commits, and a folder that is no repository, are refused and not written down', async () => {
    await using town = await testTown()
    const empty = join(town.dir, 'empty')
    town.git(empty, 'init', '--quiet')
    const plain = join(town.dir, 'plain')
    mkdirSync(plain)
    expectRefusal(await town.gt('rig', 'add', 'empty', empty), {
      exitCode: 1,
      says: /has no commits yet/,
      hint: /commit/,
    })
    expectRefusal(await town.gt('rig', 'add', 'plain', plain), {
      exitCode: 2,
      says: /is not a git repository/,
    })
    expectRefusal(
      await town.gt('rig', 'add', 'branch', town.makeRepository('some', { a: 'a' }), '--branch', 'nope'),
      {
        exitCode: 4,
        says: /nope/,
      },
    )
    expect(await town.ok('rig', 'list')).toContain('no rigs')
    // A folder of a rig that went away later.
    const gone = town.makeRepository('gone', { a: 'a' })
    await town.ok('rig', 'add', 'gone', gone)
    await town.ok('bead', 'create', '--id', 'b-1', 'x')
    rmSync(gone, { recursive: true })
    const ran = await town.gt('sling', 'b-1', 'gone', '--agent', 'opencode')
    expect([1, 2, 4, 6], ran.stderr).toContain(ran.exitCode)
    expectRefusal(ran, { exitCode: ran.exitCode ?? -1, says: /gone/ })
    expect((await bead(town, 'b-1')).status).toBe('open')
  })
})

describe('a machine without', () => {
  it.each(['tmux', 'git', 'opencode'])('%s: said before anything is done', async (missing) => {
    await using made = await workTown()
    const { town } = made
    // On a server, an agent needs no terminal.
    if (missing === 'tmux') town.setBackend('tmux')
    await createBeads(town, 'b-1')
    town.program('opencode', 'exec cat')
    const path = join(town.dir, `without-${missing}`)
    mkdirSync(path)
    for (const name of ['node', 'sh', 'env', 'cat', 'git', 'tmux', 'opencode', 'readlink']) {
      if (name === missing) continue
      const real =
        name === 'opencode'
          ? join(town.dir, 'bin/opencode')
          : execFileSync('which', [name], { encoding: 'utf8' }).trim()
      symlinkSync(real, join(path, name))
    }
    const before = footprint(made)
    const env = { PATH: path }
    const sling = await town.gtIn(town.root, { env }, 'sling', 'b-1', 'proj', '--agent', 'opencode')
    expectRefusal(sling, {
      exitCode: 6,
      says: new RegExp(`${missing}.* (is not installed|not found|on PATH)`),
      hint: /./,
    })
    const json = await town.gtIn(town.root, { env }, 'sling', 'b-1', 'proj', '--agent', 'opencode', '--json')
    expectJsonRefusal(json, { exitCode: 6, code: missing === 'git' ? 'git-not-found' : 'missing-binary' })
    expect(footprint(made)).toBe(before)
    expect((await bead(town, 'b-1')).status).toBe('open')
    // What needs none of them still works.
    for (const args of [
      ['bead', 'create', 'x'],
      ['bead', 'list'],
      ['mail', 'send', 'human', 'x'],
      ['events'],
      ['mq', 'list'],
    ])
      expect((await town.gtIn(town.root, { env }, ...args)).exitCode, args.join(' ')).toBe(0)
    const status = await town.gtIn(town.root, { env }, 'status')
    expect(status.exitCode, status.stderr).toBe(0)
    // Nothing runs in a terminal, so nothing is hidden by its absence.
    expect(status.stdout).not.toMatch(/sessions cannot be seen/)
  })
})

const mountable = canMount()

describe(`a disk that is full or read-only${mountable ? '' : ' (skipped: no right to mount here)'}`, () => {
  it.skipIf(!mountable)('says that nothing was recorded, and keeps all that was acknowledged', async () => {
    await using town = await testTown({ bare: true })
    const disk = join(town.dir, 'disk')
    mkdirSync(disk)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', disk])
    try {
      const root = join(disk, 'town')
      const gt = (input: string, ...args: string[]) => town.gtIn(disk, { input }, ...args, '--town', root)
      expect((await town.gtIn(disk, {}, 'init', root)).exitCode).toBe(0)
      expect((await gt('', 'bead', 'create', '--id', 'before', 'x')).exitCode).toBe(0)
      const filler = join(disk, 'filler')
      // All but some pages, then bytes until not even a part of one is left.
      spawnSync('sh', [
        '-c',
        `head -c 100000000 /dev/zero > ${filler} 2>/dev/null; truncate -s -16384 ${filler}`,
      ])

      const acknowledged: string[] = []
      const refused: Ran[] = []
      for (let i = 0; refused.length < 3 && i < 100; i++) {
        const ran = await gt(
          `text ${i} ${'y'.repeat(1_500)}`,
          'bead',
          'create',
          '--id',
          `full-${i}`,
          'x',
          '-m',
          '-',
        )
        if (ran.exitCode === 0) acknowledged.push(`full-${i}`)
        else refused.push(ran)
      }
      expect(refused).toHaveLength(3)
      for (const ran of refused)
        expectRefusal(ran, { exitCode: 1, says: /disk full: nothing was recorded/, hint: /free some space/ })
      const json = await gt('z'.repeat(3_000), 'mail', 'send', 'human', 'lost', '-m', '-', '--json')
      expectJsonRefusal(json, { exitCode: 1, code: 'disk-full', says: /nothing was recorded/ })
      expectJsonRefusal(await gt('z'.repeat(200_000), 'mail', 'send', 'human', 'lost', '-m', '-', '--json'), {
        exitCode: 1,
        code: 'disk-full',
      })
      // Reading works on a full disk.
      expect((await gt('', 'bead', 'list')).exitCode).toBe(0)
      expect((await gt('', 'status')).exitCode).toBe(0)

      rmSync(filler)
      const after = JSON.parse((await gt('', 'bead', 'list', '--all', '--json')).stdout) as {
        beads: { id: string; description: string }[]
      }
      expect(after.beads.map((one) => one.id).sort()).toEqual(['before', ...acknowledged].sort())
      for (const one of after.beads) if (one.id !== 'before') expect(one.description).toContain('yyyy')
      expect((await gt('', 'mail', 'inbox', '--all')).stdout).toBe('no mail\n')
      expect((await gt('', 'bead', 'create', '--id', 'afterwards', 'x')).exitCode).toBe(0)
      expect((await gt('small', 'mail', 'send', 'human', 'found', '-m', '-')).exitCode).toBe(0)
      expect((await gt('', 'mail', 'inbox')).stdout).toContain('found')
      expect((await gt('', 'status')).stdout).not.toContain('damaged')
    } finally {
      execFileSync('umount', ['-l', disk])
    }
  })

  it.skipIf(!mountable)('read-only: writing is refused, reading works', async () => {
    await using town = await testTown({ bare: true })
    const disk = join(town.dir, 'disk')
    mkdirSync(disk)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', disk])
    try {
      const root = join(disk, 'town')
      const gt = (...args: string[]) => town.gtIn('/', {}, ...args, '--town', root)
      expect((await gt('init', root)).exitCode).toBe(0)
      await gt('bead', 'create', '--id', 'b-1', 'x')
      execFileSync('mount', ['-o', 'remount,ro', disk])
      expectRefusal(await gt('bead', 'create', 'y'), {
        exitCode: 1,
        says: /cannot write to .*EROFS; nothing was recorded/,
        hint: /./,
      })
      expectJsonRefusal(await gt('mail', 'send', 'human', 'y', '--json'), {
        exitCode: 1,
        code: 'store-not-writable',
      })
      expect((await gt('bead', 'show', 'b-1')).stdout).toContain('b-1')
      const status = await gt('status')
      expect(status.exitCode, status.stderr).toBe(0)
      expect((await gt('mail', 'check')).exitCode).toBe(1)
    } finally {
      execFileSync('umount', ['-l', disk])
    }
  })
})

describe('help', () => {
  it('of every command exits 0 and shows an example of it', async () => {
    await using town = await testTown({ bare: true })
    expect(commands.length).toBeGreaterThan(40)
    await inPool(commands, async ({ name }) => {
      const ran = await town.gtIn(town.dir, {}, ...name.split(' '), '--help')
      expect(ran.exitCode, name).toBe(0)
      expect(ran.stderr, name).toBe('')
      expect(ran.stdout).toContain(`Usage: gt ${name}`)
      const examples = ran.stdout.split('Examples:\n')[1] ?? ''
      expect(examples, name).toMatch(new RegExp(`(^|\\| )\\s*gt ${name}|gt (${name.split(' ')[0]})`, 'm'))
      expect(ran.stdout).toContain('--json')
    })
    expect((await town.gtIn(town.dir, {}, 'help', 'mail', 'send')).stdout).toContain('Usage: gt mail send')
    expect((await town.gtIn(town.dir, {}, 'mail', '--help')).stdout).toContain('mail reply')
    expect((await town.gtIn(town.dir, {}, 'mail')).exitCode).toBe(2)
  })

  it('lists every command that is not internal, and no other', async () => {
    await using town = await testTown({ bare: true })
    const text = (await town.gtIn(town.dir, {}, '--help')).stdout
    const json = JSON.parse((await town.gtIn(town.dir, {}, '--help', '--json')).stdout) as {
      commands: Listed[]
    }
    const listed = json.commands.map((command) => command.name).sort()
    expect(listed).toEqual(
      commands
        .filter((c) => !c.internal)
        .map((c) => c.name)
        .sort(),
    )
    for (const name of listed) expect(text).toMatch(new RegExp(`^ {2}${name} `, 'm'))
    for (const { name, internal } of commands)
      if (internal) expect(text).not.toMatch(new RegExp(`^ {2}${name} `, 'm'))
    expect((await town.gtIn(town.dir, {})).stdout).toBe(text)
    expect((await town.gtIn(town.dir, {}, '-h')).stdout).toBe(text)
  })

  it('gives an alias the same command', async () => {
    await using town = await testTown({ bare: true })
    const json = JSON.parse((await town.gtIn(town.dir, {}, '--help', '--json')).stdout) as {
      commands: Listed[]
    }
    const pairs = json.commands.flatMap(({ name, aliases }) => aliases.map((alias) => ({ name, alias })))
    expect(pairs.length).toBeGreaterThan(10)
    await inPool(pairs, async ({ name, alias }) => {
      const ran = await town.gtIn(town.dir, {}, ...alias.split(' '), '--help')
      expect(ran.stdout, alias).toContain(`Usage: gt ${name}`)
    })
  })
})

describe('the output', () => {
  it('may be cut off by its reader without a word', async () => {
    await using town = await testTown()
    for (let i = 0; i < 3; i++)
      await town.gtIn(
        town.root,
        { input: 'y'.repeat(100_000) },
        'bead',
        'create',
        '--id',
        `b-${i}`,
        'x',
        '-m',
        '-',
      )
    for (const line of [
      'gt bead show b-1 | true',
      'gt bead list --all --json | head -c 10',
      'gt --help | true',
      'gt bead show nope 2>&1 | true',
      'gt sling --help | true',
    ]) {
      const ran = await run(
        'bash',
        ['-c', `PATH=${join(PACKAGE_DIR, 'bin')}:$PATH; ${line}; echo "\${PIPESTATUS[0]}" >&2`],
        { cwd: town.root, env: town.env },
      )
      expect(ran.stderr, line).toMatch(/^\d+\n$/)
    }
  })

  it.skipIf(spawnSync('script', ['--version']).error !== undefined)(
    'has no colour on a terminal with NO_COLOR or --no-color',
    async () => {
      await using town = await testTown()
      await town.ok('bead', 'create', '--id', 'b-1', 'x')
      const screen = (line: string, env: Record<string, string>) =>
        run('script', ['-qec', `${GT} ${line}`, '/dev/null'], {
          cwd: town.root,
          env: { ...town.env, ...env },
        })
      for (const [line, env] of [
        ['status', { NO_COLOR: '1' }],
        ['bead list --no-color', {}],
        ['agents --plain', { NO_COLOR: '1' }],
        ['--help', { NO_COLOR: '1' }],
        ['bead show nope', { NO_COLOR: '1' }],
      ] as const) {
        const ran = await screen(line, env)
        expect(ran.stdout.length, line).toBeGreaterThan(0)
        expect(ran.stdout.includes('\u001b'), line).toBe(false)
      }
    },
  )

  it('with --json is one object on stdout and nothing else, --quiet silences remarks', async () => {
    await using made = await workTown()
    const { town } = made
    await createBeads(town, 'b-1')
    const lines = [
      'status',
      'agents',
      'bead list',
      'bead show b-1',
      'bead ready',
      'convoy list',
      'mq list',
      'events',
      'rig list',
      'rig show proj',
      'runtime list',
      'config check',
      'salvage list',
      'mail inbox',
      'whoami',
      'mq run',
      'mq retry',
    ]
    await inPool(lines, async (line) => {
      const ran = await town.gt(...line.split(' '), '--json')
      expect(ran.exitCode, line).toBe(0)
      expect(typeof JSON.parse(ran.stdout), line).toBe('object')
      expect(ran.stdout.trimEnd(), line).not.toContain('\n')
      expect(ran.stderr, line).toBe('')
    })
    const loud = await town.gt('sling', 'a new sentence', 'proj')
    expect(loud.stderr).toContain('made bead')
    const quiet = await town.gt('sling', 'another new sentence', 'proj', '--quiet')
    expect(quiet.stderr).toBe('')
    expect(quiet.exitCode).toBe(0)
    expect(gitAsk(town, made.clone, 'status', '--porcelain')).toBe('')
  })
})

/** Each with its two processes; more at a time only wait for each other. */
async function inPool<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items]
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item)
  }
  await Promise.all([worker(), worker()])
}

function filesBelow(dir: string): string[] {
  return readdirSync(dir).flatMap((name) => {
    const path = join(dir, name)
    return statSync(path).isDirectory() ? filesBelow(path) : [path]
  })
}

function visible(text: string): string {
  return text.replace(new RegExp(CONTROL, 'g'), (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`)
}

function canMount(): boolean {
  const dir = mkdtempSync(join(tmpdir(), 'gt-m-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', dir], { stdio: 'ignore' })
    execFileSync('umount', [dir], { stdio: 'ignore' })
    return true
  } catch {
    return false
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}
