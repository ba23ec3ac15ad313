import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { until } from '../support/test-town.js'
import {
  bash,
  beadOf,
  lastRequest,
  opencodeTown,
  promptOf,
  untilLanded,
  waitForFile,
} from './support-opencode.js'

interface Copy {
  bead: string
  agent: string
  worktree: string
}

describe('gt agent fork', () => {
  test('a copy has conversation, commits and files of its original, and both land', async () => {
    await using lab = await opencodeTown({
      backend: 'opencode',
      turns: [
        {
          name: 'original',
          when: promptOf('issue-1'),
          steps: [
            {
              say: 'The secret word is TANGERINE.',
              tools: [
                bash('echo one > one.txt; git add -A; git commit --quiet -m one; echo draft > two.txt'),
              ],
            },
            { tools: [bash('touch "$GT_TOWN/ready"', waitForFile('go'))] },
            { tools: [bash('git add -A; git commit --quiet -m two; gt done')] },
            { say: 'Handed in.' },
          ],
        },
        {
          name: 'copy',
          when: { userText: /^\[gt\] You are a copy of proj\/toast/ },
          steps: [
            { tools: [bash('gt whoami; git log --format=%s; cat two.txt; git status --porcelain')] },
            {
              tools: [
                bash(
                  'echo copied > two.txt; echo x > copy.txt; git add -A; git commit --quiet -m copy; gt done',
                ),
              ],
            },
            { say: 'The copy is handed in.' },
          ],
        },
      ],
    })
    const { town, clone, model } = lab
    await town.ok('bead', 'create', '--id', 'issue-1', 'write two files', '--rig', 'proj')
    await town.ok('sling', 'issue-1', 'proj', '--agent', 'opencode', '--name', 'toast')
    await until('the original to be at it', async () => {
      try {
        return readFileSync(join(town.root, 'ready')) !== undefined
      } catch {
        return false
      }
    })

    const copy = await town.json<Copy>('agent', 'fork', 'toast', '--name', 'nux')
    expect(copy.agent).toBe('proj/nux')
    expect(copy.bead).not.toBe('issue-1')
    await untilLanded(town, copy.bead)
    const request = lastRequest(model, 'copy')
    expect(JSON.stringify(request.messages ?? request)).toContain('TANGERINE')
    const [looked] = request.toolResults.slice(-2)
    expect(looked).toContain('proj/nux')
    expect(looked).toContain('one')
    expect(looked).toContain('draft')
    expect(looked).toContain('?? two.txt')

    expect(await beadOf(town, 'issue-1')).toMatchObject({ status: 'hooked', assignee: 'proj/toast' })
    expect(readFileSync(join(town.root, 'rigs/proj/work/toast/two.txt'), 'utf8')).toBe('draft\n')
    expect(town.git(clone, 'show', 'main:two.txt')).toBe('copied')
    town.writeTown('go', '')
    await town.ok('wait', 'issue-1', '--for', 'in_review', '--for', 'hooked', '--for', 'closed')
  })

  test('says why an agent cannot be copied', async () => {
    await using lab = await opencodeTown({ turns: [], toml: '[runtimes.cat]\ncommand = ["cat"]\n' })
    const { town } = lab
    await town.ok('bead', 'create', '--id', 'b-1', 'x')
    await town.ok('sling', 'b-1', 'proj', '--agent', 'cat', '--name', 'ann')
    const refused = await town.gt('agent', 'fork', 'ann')
    expect(refused).toMatchObject({ exitCode: 1 })
    expect(refused.stderr).toContain('never told its conversation id')
    expect(await town.gt('agent', 'fork', 'nobody')).toMatchObject({ exitCode: 4 })
    expect((await town.json<{ beads: unknown[] }>('bead', 'list')).beads).toHaveLength(1)
  })
})
