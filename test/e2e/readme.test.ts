import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { PACKAGE_DIR, runGt } from '../support/run-gt.js'

/** Code spans of the table of commands, without escapes: `store commit|compact|purge`. */
function spans(): string[] {
  const readme = readFileSync(join(PACKAGE_DIR, 'README.md'), 'utf8')
  const table = readme.slice(readme.indexOf('\n## Commands'), readme.indexOf('Exit codes:'))
  return [...table.matchAll(/`([^`]+)`/g)].map(([, span = '']) => span.replaceAll('\\|', '|'))
}

/** `agent show|stop [--x]` stands for `agent show` and `agent stop`. */
function commandsIn(span: string): string[] {
  const words = span
    .replace(/\[.*?\]/g, '')
    .trim()
    .split(' ')
  const last = words.pop() ?? ''
  return last.split('|').map((verb) => [...words, verb].join(' '))
}

describe("the README's table of commands", () => {
  it('names every command that gt has, and no other', async () => {
    const env = { PATH: process.env.PATH ?? '' }
    const help = await runGt(['--help', '--json'], { cwd: PACKAGE_DIR, env })
    const { commands } = JSON.parse(help.stdout) as { commands: { name: string }[] }
    const listed = commands.map(({ name }) => name)
    expect(listed.length).toBeGreaterThan(60)
    const named = new Set(spans().flatMap(commandsIn))
    // `bead dep` is short for one of its verbs.
    const isNamed = (name: string) => [...named].some((one) => one === name || one.startsWith(`${name} `))
    expect(listed.filter((name) => !isNamed(name))).toEqual([])
    const known = new Set([...listed, 'install', 'issue …', 'gt --help', 'gt help sling'])
    const strangers = [...named].filter((name) => /^[a-z ]+$/.test(name) && !known.has(name))
    expect(strangers.filter((name) => !['toast', 'proj/toast'].includes(name))).toEqual([])
  })
})
