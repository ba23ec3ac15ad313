import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '../support/test-town.js'
import {
  agentOf,
  bash,
  beadOf,
  lastRequest,
  type OpencodeTown,
  opencodeTown,
  pidsRunning,
  promptOf,
  status,
  subjects,
  timesShown,
  untilLanded,
} from './support-opencode.js'

/** The OpenCode server is killed while two agents work on it: nobody takes them for running ones, and both go on. */
const BEADS = [
  { id: 'issue-1', agent: 'proj/toast', name: 'toast', file: 'one.txt' },
  { id: 'issue-2', agent: 'proj/nux', name: 'nux', file: 'two.txt' },
]
let lab: OpencodeTown

const toolRuns = ({ file }: { file: string }) => pidsRunning(lab.town, `echo draft > ${file}`).length > 0

beforeAll(async () => {
  lab = await opencodeTown({
    backend: 'opencode',
    turns: BEADS.flatMap(({ id, file }) => [
      {
        name: id,
        when: promptOf(id),
        steps: [
          {
            tools: [
              bash(
                `echo draft > ${file}`,
                'while [ ! -e "$GT_TOWN/never" ]; do sleep 0.05; done',
                `echo orphan >> ${file}`,
              ),
            ],
          },
        ],
      },
      {
        name: `${id} again`,
        when: { userText: new RegExp(`^\\[gt\\] Your last session ended .* still holds bead ${id}\\.`) },
        steps: [
          { tools: [bash(`cat ${file}`)] },
          { tools: [bash(`git add -A && git commit --quiet -m "feat: ${id}" && gt done`)] },
          { say: 'Handed in.' },
        ],
      },
    ]),
  })
})
afterAll(async () => {
  await lab[Symbol.asyncDispose]()
})

test('kill -9 of the server: gt status says that both sessions ended, and how to go on', async () => {
  const { town } = lab
  for (const { id } of BEADS) await town.ok('bead', 'create', '--id', id, `do ${id}`)
  await town.ok('sling', ...BEADS.map(({ id }) => id), 'proj')
  await until('both tool calls', () => BEADS.every((bead) => toolRuns(bead)) || undefined)
  const [server, ...others] = pidsRunning(town, 'opencode serve')
  expect(others).toEqual([])
  process.kill(server ?? 0, 'SIGKILL')
  const view = await until('the end', async () => {
    const seen = await status(town)
    return seen.agents.every(({ state }) => state === 'failed') ? seen : undefined
  })
  for (const { id, state, detail } of view.agents)
    expect({ state, detail }).toEqual({
      state: 'failed',
      detail: `its server (process ${server}) was killed or ended by itself; gt agent resume ${id} goes on`,
    })
  // opencode leaves its tools behind.
  expect(BEADS.filter(toolRuns)).toHaveLength(2)
  for (const { id, agent } of BEADS)
    expect(await beadOf(town, id)).toMatchObject({ status: 'hooked', assignee: agent })
  expect(await town.gt('nudge', 'toast', 'hello?')).toMatchObject({ exitCode: 5, stdout: '' })
  expect((await town.gt('attach', 'toast', '--print')).exitCode).toBe(5)
  expect(await town.ok('peek', 'toast')).toContain('> [gt] Your hook holds bead issue-1')
})

test('gt agent resume of both: on one server, in their conversations, their old tools gone', async () => {
  const { town, clone, model } = lab
  const conversations = BEADS.map(({ id }) => lastRequest(model, id).sessionId)
  for (const { name } of BEADS)
    expect(await town.ok('agent', 'resume', name)).toContain('its conversation goes on')
  for (const { id } of BEADS) await untilLanded(town, id)
  writeFileSync(join(town.root, 'never'), '')

  const resumed = BEADS.map(({ id }) => lastRequest(model, `${id} again`))
  expect(resumed.map((request) => request.sessionId)).toEqual(conversations)
  for (const request of resumed) {
    expect(request.userText).toMatch(/You were cut off while this ran, .*bash \(echo draft/)
    expect(request.toolResults[0]?.split('\n')[0]).toBe('draft')
    expect(timesShown(model, request.sessionId, 'Your last session ended')).toBe(1)
    expect(timesShown(model, request.sessionId, 'Your hook holds bead')).toBe(1)
  }
  expect(subjects(town, clone).toSorted()).toEqual(['feat: issue-1', 'feat: issue-2', 'first'])
  expect(town.git(clone, 'show', 'main:one.txt', 'main:two.txt').split('\n')).toEqual(['draft', 'draft'])
  expect((await agentOf(town, 'proj/toast')).state).toBe('done')
  await until('the end of everything that ran', () => town.processes().length === 0 || undefined)
})
