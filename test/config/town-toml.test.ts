import { readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load-config.js'
import type { RigEntry } from '../../src/domain/town-toml.js'
import { withoutRig, withRig } from '../../src/domain/town-toml.js'
import { PACKAGE_DIR } from '../support/run-gt.js'
import { testTown } from '../support/test-town.js'
import { parseText } from './support.js'

const BEFORE = `# my town
[town] # the table
name = "x" # its name

# about the rig
[rigs.old]
path = "/old" # here
[[rigs.old.gates]]
name = "g"
run = "true"

[rigs.old-2] # not the same
path = "/old2"
`
const entry: RigEntry = { name: 'new', source: { kind: 'path', path: '/new' }, branch: 'main', gates: [] }

describe('changes to the text of town.toml', () => {
  it('adds a rig and keeps everything else to the letter', () => {
    const after = withRig(BEFORE, { ...entry, gates: ['npm test', 'echo "a\\b"\t$X'], prefix: 'n' })
    expect(after.startsWith(BEFORE)).toBe(true)
    const { rigs } = parseText(after)
    expect(rigs.new).toMatchObject({ prefix: 'n', source: { kind: 'path', path: '/new' } })
    expect(rigs.new?.gates.map((gate) => gate.run)).toEqual(['npm test', 'echo "a\\b"\t$X'])
    expect(rigs.old?.gates).toHaveLength(1)
  })

  it('takes a rig out with its gates and nothing else', () => {
    const after = withoutRig(BEFORE, 'old')
    expect(Object.keys(parseText(after).rigs)).toEqual(['old-2'])
    for (const kept of ['# my town', '[town] # the table', 'name = "x" # its name', '# not the same'])
      expect(after).toContain(kept)
    expect(withoutRig(withRig(BEFORE, entry), 'new')).toBe(BEFORE)
  })

  it('survives a text without a newline at its end, and an empty one', () => {
    expect(Object.keys(parseText(withRig('[town]\nname = "x"', entry)).rigs)).toEqual(['new'])
    expect(Object.keys(parseText(withRig('', entry)).rigs)).toEqual(['new'])
  })
})

describe('town.toml on disk', () => {
  it('takes two rigs that are added at once, and keeps comments', async () => {
    await using town = await testTown()
    const file = join(town.root, 'town.toml')
    writeFileSync(file, `# mine\n${readFileSync(file, 'utf8')}\n# the end\n`)
    const names = ['one', 'two', 'three']
    for (const name of names) town.makeRepository(name, { 'a.txt': name })
    const ran = await Promise.all(
      names.map((name) => town.gt('rig', 'add', name, join(town.dir, name), '--gate', 'true')),
    )
    expect(
      ran.map((one) => one.exitCode),
      ran.map((one) => one.stderr).join('\n'),
    ).toEqual([0, 0, 0])
    const { rigs } = await town.json<{ rigs: { name: string }[] }>('rig', 'list')
    expect(rigs.map((rig) => rig.name).sort()).toEqual(['one', 'three', 'two'])
    const text = readFileSync(file, 'utf8')
    expect(text.startsWith('# mine\n')).toBe(true)
    expect(text).toContain('# the end\n')
    await town.ok('rig', 'remove', 'two')
    const after = readFileSync(file, 'utf8')
    expect(after).toContain('# the end\n')
    expect(after).not.toContain('two')
  })

  it('is read again when it changed, even when size and time stayed', async () => {
    await using town = await testTown()
    const options = { townRoot: town.root, templatesDir: join(PACKAGE_DIR, 'templates'), buildId: 'test' }
    const file = join(town.root, 'town.toml')
    const before = readFileSync(file, 'utf8')
    expect((await loadConfig(options)).name).toBe('town')
    expect((await loadConfig(options)).name).toBe('town')
    const { atimeMs, mtimeMs } = statSync(file)
    writeFileSync(file, before.replace('"town"', '"nwot"'))
    utimesSync(file, atimeMs / 1000, mtimeMs / 1000)
    expect((await loadConfig(options)).name).toBe('nwot')
    // Another build never reads this one's cache.
    const cache = join(town.root, '.beads/cache/config.json')
    writeFileSync(cache, readFileSync(cache, 'utf8').replace('nwot', 'evil'))
    expect((await loadConfig(options)).name).toBe('evil')
    expect((await loadConfig({ ...options, buildId: 'other' })).name).toBe('nwot')
    writeFileSync(cache, '{"key": 1, ')
    expect((await loadConfig(options)).name).toBe('nwot')
  })

  it('with a template of the user is never taken from the cache', async () => {
    await using town = await testTown()
    const options = { townRoot: town.root, templatesDir: join(PACKAGE_DIR, 'templates'), buildId: 'test' }
    town.appendToml('[roles.scribe]\ntemplate = "scribe.md"\n')
    const template = join(town.root, 'scribe.md')
    writeFileSync(template, 'first')
    expect((await loadConfig(options)).roles.scribe?.template).toBe('first')
    writeFileSync(template, 'second')
    expect((await loadConfig(options)).roles.scribe?.template).toBe('second')
  })
})
