import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type TestTown, testTown } from '../support/test-town.js'

/** The command lines of .beads/README, as they stand. */
function commands(town: TestTown): string[] {
  const readme = readFileSync(join(town.root, '.beads', 'README'), 'utf8')
  return readme.split('\n').flatMap((line) => /^ {2}\$ (.*)$/.exec(line)?.[1] ?? [])
}

function runAll(town: TestTown, id: string, without: readonly string[]): Map<string, string> {
  const outputs = new Map<string, string>()
  for (const command of commands(town)) {
    const line = command.replaceAll('proj-4k7q2', id)
    if (without.some((tool) => line.includes(`| ${tool} `))) continue
    const output = execFileSync('/bin/sh', ['-c', line], {
      cwd: join(town.root, '.beads'),
      env: town.env,
      encoding: 'utf8',
    })
    outputs.set(command, output)
  }
  return outputs
}

const hasJq = (() => {
  try {
    execFileSync('jq', ['--version'])
    return true
  } catch {
    return false
  }
})()

describe('the README of a store', () => {
  it('holds commands of plain tools that give the title and the status of a bead, before and after compaction', async () => {
    await using town = await testTown()
    const made = await town.json<{ bead: { id: string; key: string } }>(
      'bead',
      'create',
      'first title',
      '-m',
      'two\nlines "quoted"',
    )
    const { id, key } = made.bead
    await town.ok('bead', 'update', id, '--title', 'last title', '-l', 'red')
    await town.ok('bead', 'close', id)
    const issue = { id: 'bd-7', title: 'imported', status: 'closed', updated_at: '2025-01-01T00:00:00Z' }
    await town.gtIn(town.root, { input: JSON.stringify(issue) }, 'import', '-')
    const check = async () => {
      await town.ok('store', 'commit')
      const outputs = runAll(town, id, hasJq ? [] : ['jq'])
      const find = (part: string) => [...outputs].find(([command]) => command.includes(part))?.[1] ?? ''
      const fields = [find('node -e'), ...(hasJq ? [find('jq -s')] : [])]
      for (const output of fields)
        expect(JSON.parse(output)).toMatchObject({ title: 'last title', status: 'closed' })
      if (hasJq) expect(find('jq -r')).toContain('bd-7  imported')
      expect(find('grep -h')).toContain('last title')
      expect(find('grep -h')).toContain(key)
      expect(find('git log')).toMatch(/records?: /)
      expect(find('git grep')).toContain('last title')
      expect(
        JSON.parse(runAll(town, 'bd-7', ['jq', 'grep']).get(commands(town)[2] ?? '') ?? ''),
      ).toMatchObject({ title: 'imported', status: 'closed' })
    }
    await check()
    // A segment is closed when it is long enough.
    const filler = Array.from({ length: 60 }, (_, i) =>
      JSON.stringify({ id: `f-${i}`, title: 't', notes: 'n'.repeat(6_000) }),
    )
    await town.gtIn(town.root, { input: filler.join('\n') }, 'import', '-')
    await town.ok('store', 'compact')
    const files = readdirSync(join(town.root, '.beads', 'log'))
    expect(files.some((name) => name.includes('.base'))).toBe(true)
    await check()
  })
})
