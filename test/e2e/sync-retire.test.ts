import { execFileSync } from 'node:child_process'
import { cpSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { dumpStore } from '../store/support/dump.js'
import { PACKAGE_DIR } from '../support/run-gt.js'
import { type TestTown, testTown, until } from '../support/test-town.js'
import { expectRefusal } from './support-work.js'

interface Three {
  town: TestTown
  url: string
  dying: string
  /** Its clone id. */
  dead: string
  third: string
}

async function untilQuiet(town: TestTown): Promise<void> {
  await until('background syncs to end', () =>
    town.processes().every(({ command }) => !/ sync --background/.test(command)),
  )
}

/** Three machines that know each other; one of them will be lost. */
async function three(town: TestTown): Promise<Three> {
  const url = join(town.dir, 'beads.git')
  execFileSync('git', ['init', '--quiet', '--bare', url])
  await town.ok('bead', 'create', '--id', 'b-1', 'one')
  await town.ok('sync', '--remote', url)
  const [dying, third] = [join(town.dir, 'dying'), join(town.dir, 'third')]
  for (const root of [dying, third]) await town.ok('init', root, '--from', url)
  await town.ok('bead', 'create', '--id', 'd-1', 'of the dying', '--town', dying)
  await town.ok('bead', 'comment', 'b-1', 'from the dying', '--town', dying)
  await town.ok('bead', 'close', 'b-1', '--town', dying)
  await untilQuiet(town)
  for (const root of [dying, town.root, third]) await town.ok('sync', '--town', root)
  const { clones } = await town.json<{ clones: { clone: string; kind: string }[] }>(
    'store',
    'clones',
    '--town',
    dying,
  )
  const dead = clones.find(({ kind }) => kind === 'own')?.clone ?? ''
  return { town, url, dying, dead, third }
}

function state(root: string) {
  const { entities, shown } = dumpStore(join(root, '.beads'), 'log only')
  const kept = Object.entries(entities).map(([id, value]) => {
    const { ch: _, ...rest } = value as Record<string, unknown>
    return [id, rest]
  })
  return { entities: Object.fromEntries(kept), shown }
}

function chains(root: string): string[] {
  return [...new Set(readdirSync(join(root, '.beads/log')).map((name) => name.slice(0, 5)))]
}

describe('gt store retire', () => {
  it('keeps the records of a lost machine, deletes its branch, and the others follow', async () => {
    await using town = await testTown()
    const { url, dying, dead, third } = await three(town)
    renameSync(dying, `${dying}.lost`)
    const refused = await town.gt('store', 'retire', dead)
    expectRefusal(refused, { exitCode: 5, says: /does not look dead/, hint: /--force/ })
    expect(await town.ok('store', 'retire', dead, '--force', '--dry-run')).toContain('would retire')
    expect(town.git(url, 'for-each-ref')).toContain(dead)
    expect(await town.ok('store', 'retire', dead, '--force')).toMatch(/retired .*: \d+ records are kept here/)
    expect(town.git(url, 'for-each-ref')).not.toContain(`beads/${dead}`)
    expect(town.git(join(town.root, '.beads/.git'), 'for-each-ref')).toContain(`refs/archive/retired/${dead}`)
    expect(await town.ok('sync', '--town', third)).toContain(`${dead} was retired`)
    expect(chains(third)).not.toContain(dead)
    expect(chains(town.root)).not.toContain(dead)
    await town.ok('sync')
    expect(state(third)).toEqual(state(town.root))
    const shown = await town.json<{ bead: { status: string; comments: { text: string }[] } }>(
      'bead',
      'show',
      'b-1',
    )
    expect(shown.bead.status).toBe('closed')
    expect(shown.bead.comments.map(({ text }) => text)).toEqual(['from the dying'])
    // A new machine gets it all.
    const late = join(town.dir, 'late')
    await town.ok('init', late, '--from', url)
    expect(await town.ok('bead', 'show', 'd-1', '--town', late)).toContain('of the dying')
    // And the lost one may come back.
    renameSync(`${dying}.lost`, dying)
    await town.ok('bead', 'create', '--id', 'd-2', 'still alive', '--town', dying)
    await untilQuiet(town)
    for (const root of [dying, dying, town.root, third, dying]) await town.ok('sync', '--town', root)
    expect(town.git(url, 'for-each-ref')).toContain(dead)
    expect(await town.ok('bead', 'show', 'd-2', '--town', third)).toContain('still alive')
    expect(state(third)).toEqual(state(town.root))
    expect(state(dying)).toEqual(state(town.root))
    await untilQuiet(town)
  })

  it('killed at any step loses nothing, and ends when it is repeated', async () => {
    await using town = await testTown()
    const { url, dying, dead, third } = await three(town)
    rmSync(dying, { recursive: true })
    const before = state(town.root).entities['b-1']
    for (const step of ['retire.adopted', 'retire.marked', 'retire:branch-deleted', 'retire:deleted']) {
      const killed = await town.gtIn(
        town.root,
        { env: { GT_KILL_AT: step } },
        'store',
        'retire',
        dead,
        '--force',
      )
      expect(killed.signal ?? killed.exitCode, step).toBe('SIGKILL')
      expect(state(town.root).entities['b-1'], step).toEqual(before)
    }
    await town.gt('store', 'retire', dead, '--force')
    await town.ok('sync')
    expect(chains(town.root)).not.toContain(dead)
    expect(town.git(url, 'for-each-ref')).not.toContain(`beads/${dead}`)
    expect(await town.ok('sync', '--town', third)).toContain('was retired')
    expect(state(third)).toEqual(state(town.root))
    expect(state(third).entities['b-1']).toEqual(before)
  })

  it('deletes nothing that was not taken over: what is damaged here, or was sent meanwhile', async () => {
    await using town = await testTown()
    const { url, dying, dead } = await three(town)
    const copy = join(town.root, '.beads/log', `${dead}-000001.jsonl`)
    const whole = readFileSync(copy, 'utf8')
    writeFileSync(copy, whole.replace('of the dying', 'of the dyiNg'))
    const damaged = await town.gt('store', 'retire', dead, '--force')
    expectRefusal(damaged, { exitCode: 5, says: /not whole/, hint: /gt doctor --fix/ })
    expect(town.git(url, 'for-each-ref')).toContain(`beads/${dead}`)
    writeFileSync(copy, whole)

    // It sends once more at the very moment at which its records are taken over.
    const hook = join(url, 'hooks/post-receive')
    const gt = join(PACKAGE_DIR, 'bin/gt')
    writeFileSync(
      hook,
      `#!/bin/sh\nrm -f "$0"\nunset GIT_DIR\n${gt} bead create --id d-9 late --town ${dying} && ${gt} sync --town ${dying}\n`,
      { mode: 0o755 },
    )
    const late = await town.gt('store', 'retire', dead, '--force')
    expectRefusal(late, { exitCode: 5, says: /sent something just now/ })
    expect(town.git(url, 'for-each-ref')).toContain(`beads/${dead}`)
    expect(await town.ok('bead', 'show', 'd-9')).toContain('late')
    await untilQuiet(town)
  })

  it('takes nothing over that was purged', async () => {
    await using town = await testTown()
    const { dead } = await three(town)
    await town.ok('store', 'purge', 'd-1', '--yes')
    await town.ok('store', 'retire', dead, '--force')
    const log = join(town.root, '.beads/log')
    const kept = readdirSync(log).map((name) => readFileSync(join(log, name), 'utf8'))
    expect(kept.join('')).not.toContain('of the dying')
    await untilQuiet(town)
  })

  it('of our own former id lets a purge reach what was written under it; until then the purge says that it does not', async () => {
    await using town = await testTown()
    const url = join(town.dir, 'beads.git')
    execFileSync('git', ['init', '--quiet', '--bare', url])
    await town.ok('bead', 'create', '--id', 'leak', 'a title', '-m', 'the key is hunter2-hunter2')
    await town.ok('sync', '--remote', url)
    await untilQuiet(town)
    const moved = join(town.dir, 'moved')
    cpSync(town.root, moved, { recursive: true })
    const inMoved = (...args: string[]) => town.gtIn(moved, {}, ...args, '--town', moved)
    const purge = await inMoved('store', 'purge', 'leak', '--yes')
    expectRefusal(purge, {
      exitCode: 1,
      says: /not all is purged: .*former id/,
      hint: /gt store retire .* --force/,
    })
    const former = /gt store retire (\w+) --force/.exec(purge.stderr)?.[1] ?? ''
    expect((await inMoved('store', 'retire', former)).exitCode).toBe(5)
    const retired = await inMoved('store', 'retire', former, '--force')
    expect(retired, retired.stderr).toMatchObject({ exitCode: 0 })
    expect(await inMoved('store', 'compact')).toMatchObject({ exitCode: 0 })
    expect(await inMoved('sync')).toMatchObject({ exitCode: 0 })
    const log = join(moved, '.beads/log')
    const kept = readdirSync(log).map((name) => readFileSync(join(log, name), 'utf8'))
    expect(kept.join('')).not.toContain('hunter2')
    await untilQuiet(town)
  })

  it('of which the remote has something that cannot be taken in is refused, with the reason, as often as it is tried', async () => {
    await using town = await testTown()
    const { url, dead } = await three(town)
    const empty = town.git(url, 'hash-object', '-t', 'tree', '-w', '/dev/null').trim()
    const commit = town
      .git(url, '-c', 'user.name=x', '-c', 'user.email=x@x', 'commit-tree', '-m', 'x', empty)
      .trim()
    town.git(url, 'update-ref', `refs/heads/beads/${dead}`, commit)
    await town.gt('sync')
    const before = state(town.root)
    for (let tries = 0; tries < 2; tries++) {
      const refused = await town.gt('store', 'retire', dead, '--force')
      expectRefusal(refused, {
        exitCode: 5,
        says: /not taken in here: .* is gone/,
        hint: /delete it on the remote/,
      })
    }
    expect(state(town.root)).toEqual(before)
    town.git(url, 'update-ref', '-d', `refs/heads/beads/${dead}`)
    await town.ok('store', 'retire', dead, '--force')
    expect(await town.ok('bead', 'show', 'd-1')).toContain('of the dying')
    expect(chains(town.root)).not.toContain(dead)
    await untilQuiet(town)
  })

  it('of an unknown machine, or of this one, is refused', async () => {
    await using town = await testTown()
    await town.ok('bead', 'create', 'one')
    expectRefusal(await town.gt('store', 'retire', 'zzzzz'), { exitCode: 4, says: /no machine/ })
    const { clones } = await town.json<{ clones: { clone: string }[] }>('store', 'clones')
    expectRefusal(await town.gt('store', 'retire', clones[0]?.clone ?? ''), {
      exitCode: 5,
      says: /is this machine/,
    })
  })

  it('leaves alone what vanished without anybody having taken it over', async () => {
    await using town = await testTown()
    const { url, dead, third } = await three(town)
    town.git(url, 'update-ref', '-d', `refs/heads/beads/${dead}`)
    await town.ok('sync', '--town', third)
    expect(chains(third)).toContain(dead)
    expect(await town.ok('bead', 'show', 'd-1', '--town', third)).toContain('of the dying')
    await untilQuiet(town)
  })
})
