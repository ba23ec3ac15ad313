import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { until } from '../support/test-town.js'
import {
  agentOf,
  bash,
  beadOf,
  eventsOf,
  lastRequest,
  type OpencodeTown,
  opencodeTown,
  pidsRunning,
  promptOf,
  subjects,
  timesShown,
  toolsWaitingFor,
  untilLanded,
  waitForFile,
} from './support-opencode.js'

/** A session is ended in the middle of a tool call, and goes on: nothing is lost, nothing is done twice. */
const AGENT = 'proj/toast'
let lab: OpencodeTown

beforeAll(async () => {
  lab = await opencodeTown({
    turns: [
      {
        name: 'issue-1',
        when: promptOf('issue-1'),
        steps: [
          { tools: [bash('echo draft > work.txt', 'echo begun >> "$GT_TOWN/side-effects-1"')] },
          { tools: [bash(waitForFile('never-1'), 'echo orphan >> "$GT_TOWN/side-effects-1"')] },
        ],
      },
      {
        name: 'issue-1 again',
        when: { userText: /you were started again[\s\S]+still holds bead issue-1\./ },
        steps: [
          { tools: [bash('git status --porcelain; cat work.txt; gt prime | head -1')] },
          { tools: [bash('git add -A && git commit --quiet -m "feat: one" && gt done')] },
          { say: 'Handed in.' },
        ],
      },
      {
        name: 'issue-2',
        when: promptOf('issue-2'),
        steps: [
          {
            tools: [
              bash(
                'echo two > two.txt',
                'git add -A && git commit --quiet -m "feat: two"',
                'echo begun >> "$GT_TOWN/side-effects-2"',
              ),
            ],
          },
          {
            tools: [
              bash(
                'echo more > untracked.txt',
                waitForFile('never-2'),
                'echo orphan >> "$GT_TOWN/side-effects-2"',
              ),
            ],
          },
        ],
      },
      {
        name: 'issue-2 again',
        when: { userText: /you were started again[\s\S]+still holds bead issue-2\./ },
        steps: [
          { tools: [bash('git log --format=%s main..; git status --porcelain')] },
          { tools: [bash('git add -A && git commit --quiet -m "feat: more of two" && gt done')] },
          { say: 'Handed in.' },
        ],
      },
    ],
  })
})
afterAll(async () => {
  await lab[Symbol.asyncDispose]()
})

const sideEffects = (bead: number) =>
  readFileSync(join(lab.town.root, `side-effects-${bead}`), 'utf8')
    .trim()
    .split('\n')

/** Slings a bead, and returns when its agent is in the middle of its long tool call. */
async function slingUntilTool(bead: string, file: string): Promise<string> {
  const { town, model } = lab
  await town.ok('bead', 'create', '--id', bead, `do ${bead}`)
  await town.ok('sling', bead, 'proj', '--agent', 'opencode')
  await until('the tool call', () => toolsWaitingFor(town, file).length > 0 || undefined)
  return lastRequest(model, bead).sessionId
}

describe('kill -9 of opencode in the middle of a tool call', () => {
  let conversation: string
  let worktree: string

  test('gt status says that the agent failed, and why', async () => {
    const { town } = lab
    conversation = await slingUntilTool('issue-1', 'never-1')
    const before = await agentOf(town, AGENT)
    worktree = before.worktree ?? ''
    const [pid] = pidsRunning(town, 'opencode --auto')
    process.kill(pid ?? 0, 'SIGKILL')
    // tmux needs a moment to learn how it ended.
    await until('the reason', async () => {
      const { state, detail } = await agentOf(town, AGENT)
      if (state === 'failed' && detail === 'killed by SIGKILL; gt agent resume proj/toast goes on')
        return true
      throw new Error(`${state}: ${detail}`)
    })
    expect(await town.ok('status')).toMatch(/failed +proj\/toast .*killed by SIGKILL/)
    expect(await beadOf(town, 'issue-1')).toMatchObject({ status: 'hooked', assignee: AGENT })
    expect(town.git(worktree, 'status', '--porcelain')).toBe('?? work.txt')
    expect((await town.ok('peek', 'toast')).trim()).not.toBe('')
  })

  test('gt agent resume goes on in the same conversation, told once what happened', async () => {
    const { town, model } = lab
    const said = await town.ok('agent', 'resume', 'toast')
    expect(said).toContain('its conversation goes on')
    await until('the resumed turn', () =>
      model.requests.find((one) => one.turn === 'issue-1 again' && one.step === 1),
    )
    // The tool of the killed session must not work on beside the new one.
    expect(toolsWaitingFor(town, 'never-1')).toEqual([])
    const request = lastRequest(model, 'issue-1 again')
    expect(request.sessionId).toBe(conversation)
    expect(request.messages.filter((message) => message.role === 'user')[0]?.text).toContain('bead issue-1')
    expect(timesShown(model, conversation, 'you were started again')).toBe(1)
    expect(request.userText).toContain('Your last session ended (its program was ended by SIGKILL)')
    expect(request.toolResults[0]?.trim().split('\n')).toEqual([
      '?? work.txt',
      'draft',
      '# gt: you are proj/toast (polecat)',
    ])
  })

  test('its bead lands, and nothing was done twice', async () => {
    const { town, clone, model } = lab
    await untilLanded(town, 'issue-1')
    expect(subjects(town, clone)).toEqual(['feat: one', 'first'])
    expect(readFileSync(join(clone, 'work.txt'), 'utf8')).toBe('draft\n')
    writeFileSync(join(town.root, 'never-1'), '')
    expect(sideEffects(1)).toEqual(['begun'])
    // Its last words may have been cut off: the queue ends a session as soon as its bead is merged.
    const said = model.requests.map((one) => `${one.turn} ${one.step}`)
    expect(said.slice(0, 4)).toEqual(['issue-1 0', 'issue-1 1', 'issue-1 again 0', 'issue-1 again 1'])
    expect(said.slice(4)).toEqual(said.length > 4 ? ['issue-1 again 2'] : [])
    const spawned = await eventsOf(town, AGENT, 'session.spawned')
    expect(spawned.map((event) => event.data.mode)).toEqual(['new', 'resume'])
    const started = await eventsOf(town, AGENT, 'session.started')
    expect(started.map((event) => event.data.resumed)).toEqual([false, true])
    expect(existsSync(worktree)).toBe(false)
    await until('the end of everything it ran', () => town.processes().length === 0 || undefined)
  })
})

describe('gt agent stop in the middle of a tool call', () => {
  let conversation: string

  test('ends the session with its tools, and keeps the work', async () => {
    const { town } = lab
    conversation = await slingUntilTool('issue-2', 'never-2')
    const { worktree = '' } = await agentOf(town, AGENT)
    expect(await town.ok('agent', 'stop', 'toast')).toContain('is stopped')
    expect(await agentOf(town, AGENT)).toMatchObject({ state: 'stopped', detail: 'stopped by a person' })
    await until('the end of its processes', () => town.processes().length === 0 || undefined)
    expect(town.git(worktree, 'status', '--porcelain')).toBe('?? untracked.txt')
    expect(town.git(worktree, 'log', '-1', '--format=%s')).toBe('feat: two')
    expect(await beadOf(town, 'issue-2')).toMatchObject({ status: 'hooked', assignee: AGENT })
    expect(await town.ok('agent', 'stop', 'toast')).toContain('was not running')
  })

  test('gt agent resume goes on where it was, and everything lands once', async () => {
    const { town, clone, model } = lab
    await town.ok('agent', 'resume', 'toast')
    const again = await town.gt('agent', 'resume', 'toast')
    expect(again.exitCode).toBe(5)
    expect(again.stderr).toContain('runs already')
    await untilLanded(town, 'issue-2')
    const request = lastRequest(model, 'issue-2 again')
    expect(request.sessionId).toBe(conversation)
    expect(conversation).not.toBe(lastRequest(model, 'issue-1 again').sessionId)
    expect(request.toolResults[0]?.trim().split('\n')).toEqual(['feat: two', '?? untracked.txt'])
    expect(timesShown(model, conversation, 'you were started again')).toBe(1)
    expect(subjects(town, clone)).toEqual(['feat: more of two', 'feat: two', 'feat: one', 'first'])
    writeFileSync(join(town.root, 'never-2'), '')
    expect(sideEffects(2)).toEqual(['begun'])
    expect(town.git(clone, 'status', '--porcelain')).toBe('')
  })
})
