import { execFileSync } from 'node:child_process'
import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openLedger } from '../../src/store/open-ledger.js'
import { recordLine } from '../store/support/chain-files.js'
import { type TestTown, testTown, until } from '../support/test-town.js'
import { expectJsonRefusal, expectRefusal } from './support-work.js'

function bareRemote(town: TestTown, name = 'beads.git'): string {
  const dir = join(town.dir, name)
  execFileSync('git', ['init', '--quiet', '--bare', dir])
  return dir
}

/** Until no exchange runs in the background, so that nothing changes under the test. */
async function untilQuiet(town: TestTown): Promise<void> {
  await until('background syncs to end', () =>
    town.processes().every(({ command }) => !/ sync --background/.test(command)),
  )
}

/** A second machine: its own town and HOME, the same remote. */
async function second(town: TestTown, url: string): Promise<string> {
  const other = join(town.dir, 'other')
  await town.ok('init', other, '--from', url)
  return other
}

async function listed(town: TestTown, root: string): Promise<string[]> {
  const { beads } = await town.json<{ beads: { id: string }[] }>('bead', 'list', '--town', root)
  return beads.map(({ id }) => id).sort()
}

describe('gt sync', () => {
  it('says that there is no remote, sets one up, and tells what it moved', async () => {
    await using town = await testTown()
    const url = bareRemote(town)
    expectRefusal(await town.gt('sync'), { exitCode: 3, says: /no remote/, hint: /gt sync --remote/ })
    await town.ok('bead', 'create', '--id', 'b-1', 'one')
    expect(await town.ok('sync', '--dry-run', '--remote', url)).toMatch(
      /^would send 1 record \(\d+ bytes\) to /,
    )
    expect(readFileSync(join(town.root, 'town.toml'), 'utf8')).not.toContain('remote')
    expect(await town.ok('sync', '--remote', '../beads.git')).toMatch(/^sent 2 records \(\d+ bytes\) to \//)
    expect(readFileSync(join(town.root, 'town.toml'), 'utf8')).toContain(`remote = "${url}"`)
    expect(await town.ok('sync')).toMatch(/^nothing to do/)
    const status = await town.json<{ sync: { lastOkAt: string } }>('status')
    expect(Date.parse(status.sync.lastOkAt)).toBeGreaterThan(0)
    expect(await town.ok('status')).toMatch(/^synced: \d{4}-.* with \//m)
    await untilQuiet(town)
  })

  it('refuses with the reason, and leaves town.toml and the store as they were', async () => {
    await using town = await testTown()
    await town.ok('bead', 'create', '--id', 'b-1', 'one')
    const before = readFileSync(join(town.root, 'town.toml'), 'utf8')
    const missing = await town.gt('sync', '--json', '--remote', join(town.dir, 'none.git'))
    expectJsonRefusal(missing, { exitCode: 6, code: 'remote-not-found', hint: /git init --bare/ })
    const secret = await town.gt('sync', '--remote', 'https://me:token@localhost/x.git')
    expectRefusal(secret, { exitCode: 2, says: /password/ })
    expectRefusal(await town.gt('sync', '--timeout', 'soon'), { exitCode: 2 })
    expect(readFileSync(join(town.root, 'town.toml'), 'utf8')).toBe(before)
  })

  it('goes by itself after commands that wrote, and reaches the other machine', async () => {
    await using town = await testTown()
    const url = bareRemote(town)
    await town.ok('sync', '--remote', url)
    const other = await second(town, url)
    await town.ok('bead', 'create', '--id', 'b-1', 'one')
    await town.ok('bead', 'create', '--id', 'b-2', 'two')
    await town.ok('bead', 'create', '--id', 'c-1', 'three', '--town', other)
    await until('both beads on the remote', () =>
      town.git(url, 'log', '--all', '--format=%B').match(/new bead/g)?.length ? true : undefined,
    )
    await untilQuiet(town)
    const waits = await town.json<{ sync: { unsentForMs?: number } }>('status')
    expect(waits.sync.unsentForMs).toBeUndefined()
    await untilQuiet(town)
    await town.ok('sync')
    await town.ok('sync', '--town', other)
    expect(await listed(town, town.root)).toEqual(['b-1', 'b-2', 'c-1'])
    expect(await listed(town, other)).toEqual(['b-1', 'b-2', 'c-1'])
    await untilQuiet(town)
  })

  it('never fails a command when the remote is away; status says so', async () => {
    await using town = await testTown()
    const url = bareRemote(town)
    await town.ok('sync', '--remote', url)
    rmSync(url, { recursive: true })
    const clone = readdirSync(join(town.root, '.beads/log'))[0]?.slice(0, 5) ?? ''
    const anHourAgo = new Date(Date.now() - 3_600_000).toISOString()
    const line = recordLine(clone, [anHourAgo, { o: 'ev', type: 'old', data: {} }])
    appendFileSync(join(town.root, `.beads/log/${clone}-000001.jsonl`), line)
    await town.ok('bead', 'create', '--id', 'b-1', 'one')
    await untilQuiet(town)
    const status = await town.json<{ problems: string[]; sync: { lastError: { code: string } } }>('status')
    expect(status.sync.lastError.code).toBe('remote-not-found')
    expect(status.problems.join('\n')).toContain('the last sync failed')
    const later = await town.ok('status')
    expect(later).toMatch(/beads wait for \d+ min to be sent/)
    await untilQuiet(town)
  })

  it('works over ssh, without a question', async () => {
    await using town = await testTown()
    const url = bareRemote(town)
    // What ssh would run on the other side, run here.
    const ssh = town.program('fake-ssh', 'while [ $# -gt 1 ]; do shift; done; exec sh -c "$1"')
    const env = { GIT_SSH_COMMAND: ssh }
    await town.ok('bead', 'create', '--id', 'b-1', 'one')
    const sent = await town.gtIn(town.root, { env }, 'sync', '--remote', `me@host:${url}`)
    expect(sent.stdout, sent.stderr).toMatch(/^sent 2 records/)
    expect(town.git(url, 'for-each-ref')).toContain('refs/heads/beads/')
    town.program(
      'ssh',
      'for a in "$@"; do echo "$a"; done > "$HOME/asked"; echo "Permission denied (publickey)." >&2; exit 255',
    )
    const refused = await town.gt('sync')
    expectRefusal(refused, { exitCode: 6, says: /does not let us in/, hint: /without questions/ })
    expect(readFileSync(join(town.env.HOME ?? '', 'asked'), 'utf8')).toContain('BatchMode=yes')
    await untilQuiet(town)
  })
})

describe('a short id that two machines gave', () => {
  it('brings mail to the one who made the younger bead, once', async () => {
    await using town = await testTown()
    const url = bareRemote(town)
    await town.ok('sync', '--remote', url)
    const other = await second(town, url)
    await untilQuiet(town)
    for (const [root, key] of [
      [town.root, 'p-aaaaa111111'],
      [other, 'p-aaaaa222222'],
    ] as const) {
      const ledger = openLedger(join(root, '.beads'))
      ledger.transact('human', () => ({
        ops: [{ o: 'new', id: key, k: 'bead', a: 5, f: { status: 'open', title: `of ${key}` } }],
      }))
      ledger.close()
    }
    await town.ok('sync')
    expect(await town.ok('sync', '--town', other)).toContain('is called p-aaaaa2 now')
    expect(await town.ok('sync')).not.toContain('is called')
    await town.ok('bead', 'create', 'something', '--town', town.root)
    await untilQuiet(town)
    await town.ok('sync', '--town', other)
    const { mails } = await town.json<{ mails: { subject: string }[] }>('mail', 'inbox', '--town', other)
    expect(mails.map(({ subject }) => subject)).toEqual(['p-aaaaa is called p-aaaaa2 now'])
    await untilQuiet(town)
  })
})

describe('gt init --from', () => {
  it('makes a town that works at once: beads, mail, and rigs known by URL', async () => {
    await using town = await testTown()
    const url = bareRemote(town)
    const clone = town.makeRepository('proj', { 'a.txt': 'a\n' })
    execFileSync('git', ['clone', '--quiet', '--bare', clone, join(town.dir, 'proj.git')])
    const source = `file://${join(town.dir, 'proj.git')}`
    await town.ok('rig', 'add', 'proj', source, '--gate', 'true', '--prefix', 'pr')
    await town.ok('rig', 'add', 'mine', clone)
    await town.ok('bead', 'create', '--id', 'b-1', 'one', '--rig', 'proj')
    await town.ok('mail', 'send', 'human', 'hello there', '-m', 'text')
    await town.ok('sync', '--remote', url)
    const other = join(town.dir, 'other')
    const said = await town.ok('init', other, '--from', url)
    expect(said).toContain('with 1 beads')
    expect(said).toContain('rigs: proj')
    expect(said).toMatch(/needs: gt rig add mine PATH-OF-A-CLONE --branch main/)
    expect(await listed(town, other)).toEqual(['b-1'])
    expect(await town.ok('mail', 'inbox', '--town', other)).toContain('hello there')
    const toml = readFileSync(join(other, 'town.toml'), 'utf8')
    expect(toml).toContain(`remote = "${url}"`)
    expect(toml).toContain('prefix = "pr"')
    expect(toml).toContain('run = "true"')
    expect(existsSync(join(other, 'rigs/proj/repo.git'))).toBe(true)
    // It goes on from there.
    await town.ok('bead', 'create', '--id', 'b-2', 'two', '--town', other)
    await town.ok('sync', '--town', other)
    await town.ok('sync')
    expect(await listed(town, town.root)).toEqual(['b-1', 'b-2'])
    await untilQuiet(town)
  })

  it('leaves no town when the remote is not to be had, and can be repeated', async () => {
    await using town = await testTown({ bare: true })
    const url = join(town.dir, 'beads.git')
    const failed = await town.gtIn(town.dir, {}, 'init', town.root, '--from', url)
    expectRefusal(failed, { exitCode: 6, says: /no git repository/ })
    expect(existsSync(join(town.root, 'town.toml'))).toBe(false)
    bareRemote(town)
    const made = await town.gtIn(town.dir, {}, 'init', town.root, '--from', url)
    expect(made.stdout, made.stderr).toContain('with 0 beads')
  })
})
