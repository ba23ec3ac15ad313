import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '../support/test-town.js'
import {
  addRig,
  agentOf,
  bash,
  filesInHistory,
  lastRequest,
  type OpencodeTown,
  opencodeTown,
  promptOf,
  status,
  subjects,
  untilLanded,
  waitForFile,
} from './support-opencode.js'

/** How an agent gets its context where a file of the repository stands in the way, or its plugin cannot reach gt. */
const AGENTS_MD = '# House rules of the user\r\n\nBytes \u00e4\u00f6 as they are, no newline at the end'
let lab: OpencodeTown

beforeAll(async () => {
  lab = await opencodeTown({
    toml: '[runtimes.broken]\nextends = "opencode"\ncommand = ["opencode-without-gt"]\n',
    turns: [
      {
        name: 'tracked',
        when: promptOf('tracked-1'),
        steps: [
          { tools: [bash('git status --porcelain --ignored; cat AGENTS.md; echo; ls -A')] },
          { tools: [bash('echo x > x.txt && git add -A && git commit --quiet -m "feat: x" && gt done')] },
          { say: 'Handed in.' },
        ],
      },
      {
        name: 'broken',
        // Without a context in the system text: there is none.
        when: { userText: /^\[gt\] Your hook holds bead broken-1:/ },
        steps: [
          {
            tools: [
              bash(
                waitForFile('go'),
                'echo y > y.txt && git add -A && git commit --quiet -m "feat: y" && gt done',
              ),
            ],
          },
          { say: 'Handed in.' },
        ],
      },
    ],
  })
  lab.town.program('opencode-without-gt', 'export GT_BIN=/nowhere/gt; exec opencode "$@"')
})
afterAll(async () => {
  await lab[Symbol.asyncDispose]()
})

test('tracked AGENTS.md and CLAUDE.md stay as they are, and the context comes through the plugin', async () => {
  const { town, model } = lab
  const files = { 'AGENTS.md': AGENTS_MD, 'CLAUDE.md': '# Claude, too\n' }
  const clone = await addRig(town, 'ruled', files)
  const exclude = readIfThere(join(clone, '.git/info/exclude'))
  await town.ok('bead', 'create', '--id', 'tracked-1', 'do it')
  await town.ok('sling', 'tracked-1', 'ruled', '--agent', 'opencode')
  const { worktree = '' } = await agentOf(town, 'ruled/toast')
  for (const dir of [clone, worktree])
    for (const [name, text] of Object.entries(files)) expect(readFileSync(join(dir, name), 'utf8')).toBe(text)
  expect(readIfThere(join(clone, '.git/info/exclude'))).toBe(exclude)
  await untilLanded(town, 'tracked-1')

  const request = lastRequest(model, 'tracked')
  expect(request.systemText).toContain('# gt: you are ruled/toast (polecat)')
  expect(request.systemText).toContain('# House rules of the user')
  expect(request.toolResults[0]).not.toMatch(/^(\?\?|!!| M|M )/m)
  expect(request.toolResults[0]?.trim().split('\n').slice(-3)).toEqual(['.git', 'AGENTS.md', 'CLAUDE.md'])
  for (const [name, text] of Object.entries(files)) expect(readFileSync(join(clone, name), 'utf8')).toBe(text)
  expect(filesInHistory(town, clone)).toEqual(['AGENTS.md', 'CLAUDE.md', 'x.txt'])
  expect(subjects(town, clone)).toEqual(['feat: x', 'first'])
  expect(town.git(clone, 'status', '--porcelain', '--untracked-files=all', '--ignored')).toBe('')
  expect(readIfThere(join(clone, '.git/info/exclude'))).toBe(exclude)
})

test('a plugin that cannot call gt is a problem in gt status, and the work still lands', async () => {
  const { town, clone, model } = lab
  await town.ok('bead', 'create', '--id', 'broken-1', 'do it')
  await town.ok('sling', 'broken-1', 'proj', '--agent', 'broken')
  const problem = await until('the problem', async () => (await status(town)).problems[0])
  expect(problem).toMatch(/^the plugin of proj\/toast failed: .*\/nowhere\/gt/)
  expect(await town.ok('status')).toContain('problems:\n  ! the plugin of proj/toast failed')
  expect((await town.gt('agents')).stderr).toContain('! the plugin of proj/toast failed')
  writeFileSync(join(town.root, 'go'), '')
  await untilLanded(town, 'broken-1')
  expect(lastRequest(model, 'broken').systemText).not.toContain('# gt: you are')
  expect(subjects(town, clone)).toEqual(['feat: y', 'first'])
  // Of an agent that is done with its work, it is history.
  expect((await status(town)).problems).toEqual([])
})

function readIfThere(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined
}
