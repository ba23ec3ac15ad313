import { existsSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { testTown } from '../support/test-town.js'

describe('gt demo', () => {
  it('makes three merged commits of three beads, and leaves nothing behind', async () => {
    await using town = await testTown({ bare: true })
    const ran = await town.gtIn(town.dir, { timeoutMs: 300_000 }, 'demo', '--plain')
    expect(ran, `${ran.stdout}\n${ran.stderr}`).toMatchObject({ exitCode: 0 })
    expect(ran.stderr).toContain('without AI')
    expect(ran.stderr).toContain('red, as they should be')
    expect(ran.stdout).toContain('3 beads became 3 merged commits')
    for (const bead of ['till-1', 'till-2', 'till-3'])
      expect(ran.stdout).toMatch(new RegExp(`${bead}  [0-9a-f]{10}  fix: `))
    expect(ran.stdout).toContain('tests on main: green · sessions left running: 0')
    const folder = /project in (\S+)/.exec(ran.stderr)?.[1] ?? ''
    expect(folder).toContain('gt-demo-')
    expect(existsSync(folder)).toBe(false)
  })

  it('says what is missing, and how to get it', async () => {
    await using town = await testTown({ bare: true })
    for (const program of ['node', 'sh', 'readlink', 'git']) town.link(program)
    const ran = await town.gtIn(town.dir, { env: { PATH: `${town.dir}/bin` } }, 'demo', '--plain')
    expect(ran.exitCode).toBe(6)
    expect(ran.stderr).toContain('the demo needs tmux')
    expect(ran.stderr).toContain('apt install tmux')
  })
})
