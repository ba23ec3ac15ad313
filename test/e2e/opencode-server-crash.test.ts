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
  untilState,
} from './support-opencode.js'

/** The tmux server is killed while two agents work: nobody takes them for running ones, and both go on. */
const BEADS = [
  { id: 'issue-1', agent: 'proj/toast', name: 'toast', file: 'one.txt' },
  { id: 'issue-2', agent: 'proj/nux', name: 'nux', file: 'two.txt' },
]
let lab: OpencodeTown

const toolRuns = ({ file }: { file: string }) => pidsRunning(lab.town, `echo draft > ${file}`).length > 0

beforeAll(async () => {
  lab = await opencodeTown({
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
        when: { userText: new RegExp(`you were started again[\\s\\S]+still holds bead ${id}\\.`) },
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

test('kill -9 of the tmux server: gt status says that both sessions vanished', async () => {
  const { town } = lab
  for (const { id, name, agent } of BEADS) {
    await town.ok('bead', 'create', '--id', id, `do ${id}`)
    await town.ok('sling', id, 'proj', '--name', name)
    // One after the other: two first starts of opencode on an empty data folder sometimes end with one that hangs (1.18.33).
    await untilState(town, agent, 'working')
  }
  await until('both tool calls', () => BEADS.every((bead) => toolRuns(bead)) || undefined)
  const server = Number((await town.tmux('display-message', '-p', '#{pid}')).stdout)
  // opencode ends with its terminal, and its tools with it; one that is killed as well leaves its tool behind.
  const killed = town.processes().find((one) => /^opencode .*bead issue-2:/.test(one.command))
  process.kill(killed?.pid ?? 0, 'SIGKILL')
  process.kill(server, 'SIGKILL')
  const view = await until('the end of both programs', async () => {
    const seen = await status(town)
    return town.processes().some((one) => one.command.startsWith('opencode')) ? undefined : seen
  })
  expect(view.agents.map(({ id, state, detail }) => ({ id, state, detail }))).toEqual(
    [...BEADS].reverse().map(({ agent }) => ({
      id: agent,
      state: 'failed',
      detail: `its session vanished; gt agent resume ${agent} goes on`,
    })),
  )
  const [gone, left] = BEADS
  await until('one tool to be left', () => (gone && left && !toolRuns(gone) && toolRuns(left)) || undefined)
  for (const { id, agent } of BEADS) {
    expect(await beadOf(town, id)).toMatchObject({ status: 'hooked', assignee: agent })
    expect((await agentOf(town, agent)).location).toBe('')
  }
  const attach = await town.gt('attach', 'toast', '--print')
  expect(attach).toMatchObject({ exitCode: 4, stdout: '' })
})

test('gt agent resume of both: their old tools are gone, and both land', async () => {
  const { town, clone, model } = lab
  const conversations = BEADS.map(({ id }) => lastRequest(model, id).sessionId)
  for (const { name } of BEADS)
    expect(await town.ok('agent', 'resume', name)).toContain('its conversation goes on')
  expect(BEADS.filter(toolRuns)).toEqual([])
  for (const { id } of BEADS) await untilLanded(town, id)
  writeFileSync(join(town.root, 'never'), '')

  const resumed = BEADS.map(({ id }) => lastRequest(model, `${id} again`))
  expect(resumed.map((request) => request.sessionId)).toEqual(conversations)
  for (const request of resumed) {
    expect(request.toolResults[0]?.split('\n')[0]).toBe('draft')
    expect(timesShown(model, request.sessionId, 'you were started again')).toBe(1)
  }
  expect(subjects(town, clone).toSorted()).toEqual(['feat: issue-1', 'feat: issue-2', 'first'])
  expect(town.git(clone, 'show', 'main:one.txt', 'main:two.txt').split('\n')).toEqual(['draft', 'draft'])
  expect(town.git(clone, 'status', '--porcelain')).toBe('')
  await until('the end of everything that ran', () => town.processes().length === 0 || undefined)
})
