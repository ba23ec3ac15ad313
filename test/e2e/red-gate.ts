import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '../support/test-town.js'
import {
  bash,
  beadOf,
  eventsOf,
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

const AGENT = 'proj/toast'

/** The gate is red at first: its output reaches the model, which mends its work and hands it in again. */
export function redGate(backend: 'tmux' | 'opencode'): void {
  let lab: OpencodeTown

  beforeAll(async () => {
    lab = await opencodeTown({
      backend,
      gates: [
        'echo run >> ../../../gate-runs; while [ -e ../../../hold ]; do sleep 0.05; done; ' +
          'grep -qx good answer.txt || { echo "GATE-SAYS: answer.txt is $(cat answer.txt)"; exit 3; }',
      ],
      turns: [
        {
          name: 'issue-1',
          when: promptOf('issue-1'),
          steps: [
            { tools: [bash('echo bad > answer.txt', 'git add -A && git commit --quiet -m "feat: answer"')] },
            { tools: [bash('gt done')] },
            { say: 'Handed in.' },
          ],
        },
        {
          name: 'mend',
          when: {
            userText:
              /^\[gt mail \S+ from merge-queue\] issue-1 did not land[\s\S]+GATE-SAYS: answer\.txt is bad/,
          },
          steps: [
            { tools: [bash('gt prime', 'git log --format=%s main..')] },
            { tools: [bash('echo good > answer.txt', 'git commit --quiet -am "fix: answer" && gt done')] },
            { say: 'Handed in again.' },
          ],
        },
        {
          name: 'issue-2',
          when: promptOf('issue-2'),
          steps: [
            {
              tools: [
                bash('echo worse > answer.txt && git commit --quiet -am "feat: other answer" && gt done'),
              ],
            },
            { say: 'Handed in.' },
          ],
        },
        // In a terminal the word of the new start comes by mail, too; to a server it is a prompt of its own.
        {
          name: 'started again',
          when: { userText: /^\[gt\] Your last session ended .* still holds bead issue-2\./ },
          steps: [{ say: 'I look for what is wrong.' }],
        },
        {
          name: 'mend after the end',
          when: {
            userText:
              backend === 'tmux'
                ? /issue-2 did not land[\s\S]+answer\.txt is worse[\s\S]+you were started again/
                : /issue-2 did not land[\s\S]+answer\.txt is worse/,
          },
          // What it says to the two prompts of a new start may count as one turn.
          steps: ({ toolResults }) =>
            toolResults.length === 0
              ? {
                  tools: [
                    bash(
                      'echo good > answer.txt',
                      'echo 2 > two.txt',
                      'git add -A && git commit --quiet -m "fix: again" && gt done',
                    ),
                  ],
                }
              : { say: 'Handed in again.' },
        },
      ],
    })
  })
  afterAll(async () => {
    await lab[Symbol.asyncDispose]()
  })

  test('a red gate sends the bead back, with the evidence before the model', async () => {
    const { town, model } = lab
    await town.ok('bead', 'create', '--id', 'issue-1', 'write the answer')
    const before = await beadOf(town, 'issue-1')
    await town.ok('sling', 'issue-1', 'proj', '--agent', 'opencode')
    const request = await until('the second try', () =>
      model.requests.find((one) => one.turn === 'mend' && one.step === 1),
    )
    expect(request.sessionId).toBe(lastRequest(model, 'issue-1').sessionId)
    expect(request.userText).toContain('gate "gate" is red (exit 3)')
    expect(request.userText).toContain('run `gt done` again')
    expect(request.userText).not.toContain('gt mail reply')
    // Prime tells the same story to a model that lost the mail.
    expect(request.toolResults[0]).toContain('## The merge queue sent your work back: gate')
    expect(request.toolResults[0]).toContain('GATE-SAYS: answer.txt is bad')
    expect(request.toolResults[0]).toContain('feat: answer')
    const [returned] = await eventsOf(town, AGENT, 'merge.returned')
    expect(returned?.data).toMatchObject({ bead: 'issue-1', reason: 'gate "gate" is red (exit 3)' })
    expect((await beadOf(town, 'issue-1')).generation).toBeGreaterThan(before.generation)
  })

  test('the mended work lands once, as one set of commits', async () => {
    const { town, clone, model } = lab
    const bead = await untilLanded(town, 'issue-1')
    // slung, handed in, sent back, handed in, merged: one generation each.
    expect(bead).toMatchObject({ status: 'closed', merged_as: town.git(clone, 'rev-parse', 'main') })
    expect(bead.generation - (await firstGeneration(lab))).toBe(5)
    expect(subjects(town, clone)).toEqual(['fix: answer', 'feat: answer', 'first'])
    expect(readFileSync(join(clone, 'answer.txt'), 'utf8')).toBe('good\n')
    expect(readFileSync(join(town.root, 'gate-runs'), 'utf8')).toBe('run\nrun\n')
    expect(await eventsOf(town, AGENT, 'bead.merged')).toHaveLength(1)
    expect(timesShown(model, lastRequest(model, 'mend').sessionId, 'answer.txt is bad')).toBe(1)
    const { merges } = await town.json<{ merges: { status: string }[] }>('mq', 'list', '--all')
    expect(merges.map((merge) => merge.status)).toEqual(['returned', 'merged'])
  })

  test('an agent whose session died meanwhile is started again for the evidence', async () => {
    const { town, clone, model } = lab
    writeFileSync(join(town.root, 'hold'), '')
    await town.ok('bead', 'create', '--id', 'issue-2', 'write another answer')
    await town.ok('sling', 'issue-2', 'proj', '--agent', 'opencode')
    await until('the gate', async () =>
      (await status(town)).queue.find((merge) => merge.status === 'running'),
    )
    await untilState(town, AGENT, 'idle')
    const [pid] = pidsRunning(town, backend === 'tmux' ? 'opencode --auto' : 'opencode serve')
    process.kill(pid ?? 0, 'SIGKILL')
    const dead = await untilState(town, AGENT, 'failed')
    expect(dead.detail).toContain('its work is in the merge queue')
    rmSync(join(town.root, 'hold'))

    await untilLanded(town, 'issue-2')
    const request = lastRequest(model, 'mend after the end')
    expect(request.sessionId).toBe(lastRequest(model, 'issue-2').sessionId)
    expect(timesShown(model, request.sessionId, 'answer.txt is worse')).toBe(1)
    const again = backend === 'tmux' ? 'you were started again' : 'Your last session ended'
    expect(timesShown(model, request.sessionId, again)).toBe(1)
    expect(subjects(town, clone).slice(0, 2)).toEqual(['fix: again', 'feat: other answer'])
  })
}

/** Of a bead that nobody has touched. */
async function firstGeneration(lab: OpencodeTown): Promise<number> {
  await lab.town.ok('bead', 'create', '--id', 'untouched', 'untouched')
  return (await beadOf(lab.town, 'untouched')).generation
}
