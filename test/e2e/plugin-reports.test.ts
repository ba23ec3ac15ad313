import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { CostReport } from '../../src/domain/cost.js'
import { writeChain } from '../store/support/chain-files.js'
import type { TestTown } from '../support/test-town.js'
import { createBeads, expectRefusal, slingOne, status, type WorkTown, workTown } from './support-work.js'

/** What an agent's plugin tells gt, through the built program: twice, at once, and by a session that crashed. */
const AGENT = 'proj/toast'
let lab: WorkTown
let session: string

beforeAll(async () => {
  lab = await workTown()
  await createBeads(lab.town, 'b-1')
  await slingOne(lab.town, 'b-1', 'proj')
  session = await sessionOf()
})
afterAll(async () => {
  await lab?.[Symbol.asyncDispose]()
})

async function sessionOf(): Promise<string> {
  const { events } = await lab.town.json<{ events: { data: { session: string } }[] }>(
    'events',
    '--type',
    'session.spawned',
  )
  return events.at(-1)?.data.session ?? ''
}
const as = (key: string) => ({ GT_AGENT: AGENT, GT_TOWN: lab.town.root, GT_SESSION: key })
const report = async (lines: readonly object[], key = session) => {
  const input = lines.map((line) => `${JSON.stringify(line)}\n`).join('')
  const ran = await lab.town.gtIn(lab.town.root, { env: as(key), input }, 'report', '--json', '-')
  expect(ran.exitCode, ran.stdout + ran.stderr).toBe(0)
  return JSON.parse(ran.stdout) as { recorded: number; asks: { request: string; answer?: unknown }[] }
}
const message = (id: string, minute: number, more: object = {}) => ({
  id,
  in: 'ses_1',
  done: Date.UTC(2026, 10, 20, 12, minute),
  model: 'p/m',
  trigger: 'work',
  tokens: [100, 10, 0, 0, 0],
  cost: 0.125,
  ...more,
})
const usage = (...messages: object[]) => ({ type: 'usage', session: 'ses_1', messages })

/** Closes the file that is written to now, and leaves some closed ones behind it, so that there is something to fold. */
function closeFiles(town: TestTown): void {
  const log = join(town.root, '.beads/log')
  const { clone } = JSON.parse(readFileSync(join(town.root, '.beads/local/clone'), 'utf8')) as {
    clone: string
  }
  const present = readdirSync(log).filter((name) => name.startsWith(clone)).length
  const at = new Date().toISOString()
  writeChain(log, clone, present, [[at, { o: 'seal' }]])
  for (const number of [1, 2, 3, 4]) writeChain(log, clone, present + number, [[at, { o: 'seal' }]])
}

describe('what models cost', () => {
  const cost = async (...args: string[]) =>
    await lab.town.json<CostReport & Record<string, unknown>>('cost', ...args)

  it('counts each answer once: reported again, in other batches, and by ten processes at once', async () => {
    await report([usage(message('m1', 1), message('m2', 2))])
    await report([usage(message('m2', 2), message('m3', 3))])
    await Promise.all(Array.from({ length: 10 }, () => report([usage(message('m3', 3), message('m4', 4))])))
    expect((await cost()).total).toMatchObject({ costUsd: 0.5, input: 400, output: 40, messages: 4 })
    const { agents } = await status(lab.town)
    expect(agents[0]).toMatchObject({ costUsd: 0.5, tokens: 440 })
  })

  it('is kept by agent, bead, model, day and rig, with the share of coordination', async () => {
    const mail = message('m5', 5, { trigger: 'mail', model: 'q/n', cost: 0.25, in: 'ses_child' })
    await report([usage(mail, message('m6', 60 * 24, { cost: 0.25 }))])
    const by = async (key: string) => (await cost('--by', key)).rows.map((row) => [row.key, row.costUsd])
    expect(await by('agent')).toEqual([[AGENT, 1]])
    expect(await by('bead')).toEqual([['b-1', 1]])
    expect(await by('rig')).toEqual([['proj', 1]])
    expect(await by('model')).toEqual([
      ['p/m', 0.75],
      ['q/n', 0.25],
    ])
    expect(await by('day')).toEqual([
      ['2026-11-20', 0.75],
      ['2026-11-21', 0.25],
    ])
    const report_ = await cost('--since', '2026-11-21', '--bead', 'b-1')
    expect(report_.total.costUsd).toBe(0.25)
    expect((await cost()).coordinationShare).toBe(0.25)
    const text = await lab.town.ok('cost', '--by', 'model')
    expect(text).toMatch(/^MODEL +COST +TOKENS IN +OUT +ANSWERS +COORD$/m)
    expect(text).toContain('coordination: 25.0% of it')
  })

  it('follows a convoy, and refuses what it does not know', async () => {
    const { convoy } = await lab.town.json<{ convoy: { id: string } }>(
      'convoy',
      'create',
      'a delivery',
      'b-1',
    )
    expect((await cost('--convoy', convoy.id)).total.costUsd).toBe(1)
    expectRefusal(await lab.town.gt('cost', '--by', 'colour'), {
      exitCode: 2,
      hint: /agent, bead, model, day, rig/,
    })
    expectRefusal(await lab.town.gt('cost', '--bead', 'nope'), { exitCode: 4 })
  })

  it('survives the compaction of the store and the loss of its cache', async () => {
    closeFiles(lab.town)
    expect(await lab.town.ok('store', 'compact')).toContain('folded')
    rmSync(join(lab.town.root, '.beads/cache'), { recursive: true, force: true })
    expect((await cost()).total.costUsd).toBe(1)
    await report([usage(message('m4', 4), message('m6', 60 * 24))])
    expect((await cost()).total.costUsd).toBe(1)
  })
})

describe('mail that a plugin was handed', () => {
  const check = async (key: string, ...args: string[]) => {
    const ran = await lab.town.gtIn(
      lab.town.root,
      { env: as(key) },
      ...['mail', 'check', '--inject', '--until-seen', '--json', ...args],
    )
    return JSON.parse(ran.stdout) as {
      mails: { id: string; text: string; again: boolean }[]
      reminder?: string
    }
  }
  const statusOf = async () => {
    const { mails } = await lab.town.json<{ mails: { status: string }[] }>(
      'mail',
      'inbox',
      '--as',
      AGENT,
      '--all',
    )
    return mails.map((mail) => mail.status)
  }

  it('is handed to one of many that ask at once, and is shown when that one saw it', async () => {
    await lab.town.ok('mail', 'send', AGENT, 'first', '-m', 'text')
    const all = await Promise.all(Array.from({ length: 8 }, () => check(session)))
    const got = all.flatMap(({ mails }) => mails)
    expect(got).toMatchObject([
      { again: false, text: expect.stringMatching(/^\[gt mail m-\w+ from human\] first/) },
    ])
    expect(await statusOf()).toEqual(['handed'])
    await report([{ type: 'message.seen', session: 'ses_1', text: 'x', mails: [got[0]?.id] }])
    expect(await statusOf()).toEqual(['shown'])
    await report([{ type: 'mail.seen', session: 'ses_1', mails: [got[0]?.id, 'm-nope', 7] }])
    expect(await statusOf()).toEqual(['shown'])
  })

  it('comes again to the session that follows one that crashed, and says so', async () => {
    await lab.town.ok('mail', 'send', AGENT, 'second')
    const [lost] = (await check(session)).mails
    expect((await check(session)).mails).toEqual([])
    const [found] = (await check('s-the-next')).mails
    expect(found).toMatchObject({ id: lost?.id, again: true })
  })

  it('goes back at once when it could not be brought in', async () => {
    const { mails } = await lab.town.json<{ mails: { id: string }[] }>('mail', 'inbox', '--as', AGENT)
    await report([{ type: 'mail.returned', session: 'ses_1', mails: mails.map(({ id }) => id) }])
    expect(await statusOf()).toEqual(['shown', 'unread'])
    // What an agent's own command prints is shown.
    const ran = await lab.town.gtIn(lab.town.root, { env: as(session) }, 'mail', 'check')
    expect(ran.stdout).toContain('second')
    expect(await statusOf()).toEqual(['shown', 'shown'])
  })

  it('is no reason to forget the work: without mail a turn that ended is reminded of it', async () => {
    const { agents } = await status(lab.town)
    const worktree = agents[0]?.worktree ?? ''
    expect((await check(session, '--turn-end')).reminder).toBeUndefined()
    lab.town.git(worktree, 'commit', '--allow-empty', '-m', 'work')
    expect((await check(session)).reminder).toBeUndefined()
    expect((await check(session, '--turn-end')).reminder).toMatch(
      /^\[gt reminder\] .*b-1.*1 commit not handed in.*`gt done`/,
    )
    await lab.town.gtIn(lab.town.root, { env: as(session) }, 'mail', 'send', 'human', 'I need a key')
    expect((await check(session, '--turn-end')).reminder).toBeUndefined()
    await lab.town.ok('mail', 'send', AGENT, 'here it is')
    expect((await check(session, '--turn-end')).mails).toHaveLength(1)
    expect((await check(session, '--turn-end')).reminder).toContain('b-1')
  })
})

describe('asks', () => {
  const asked = (id: string, more: object = {}) => ({
    type: 'permission.asked',
    session: 'ses_1',
    id,
    permission: 'bash',
    patterns: [id],
    ...more,
  })

  it('are opened once, by whatever batches; the state says so until the last is answered', async () => {
    await report([asked('per_1')])
    await report([asked('per_1'), asked('per_2'), { type: 'session.busy', session: 'ses_1' }])
    const { asks } = await lab.town.json<{ asks: { request: string }[] }>('asks')
    expect(asks.map((ask) => ask.request)).toEqual(['per_1', 'per_2'])
    expect((await status(lab.town)).agents[0]).toMatchObject({
      state: 'waiting',
      detail: 'permission: bash: per_1 and 1 more',
    })
    await report([{ type: 'permission.replied', session: 'ses_1', id: 'per_1', reply: 'once' }])
    expect((await status(lab.town)).agents[0]).toMatchObject({
      state: 'waiting',
      detail: 'permission: bash: per_2',
    })
    expect((await report([])).asks).toMatchObject([{ request: 'per_2' }])
    await report([{ type: 'session.idle', session: 'ses_1' }])
    expect((await status(lab.town)).agents[0]?.state).toBe('idle')
    expect((await lab.town.json<{ asks: unknown[] }>('asks')).asks).toEqual([])
  })

  it('that a program answers itself on the spot leave no entry', async () => {
    const before = (await lab.town.json<{ asks: unknown[] }>('asks', '--all')).asks.length
    await report([
      asked('per_auto'),
      { type: 'permission.replied', session: 'ses_1', id: 'per_auto', reply: 'once' },
    ])
    expect((await lab.town.json<{ asks: unknown[] }>('asks', '--all')).asks).toHaveLength(before)
  })

  it('of an autonomous agent are allowed without a person, unless a policy denies them', async () => {
    lab.town.appendToml('[[asks.policies]]\npattern = "per_no*"\nanswer = "deny"')
    const input = [asked('per_yes'), asked('per_no')].map((line) => `${JSON.stringify(line)}\n`).join('')
    const env = { ...as(session), GT_AUTONOMOUS: '1' }
    const ran = await lab.town.gtIn(lab.town.root, { env, input }, 'report', '--json', '-')
    expect(JSON.parse(ran.stdout).asks).toMatchObject([
      { request: 'per_yes', answer: { reply: 'once' } },
      { request: 'per_no', answer: { reply: 'reject' } },
    ])
    const { asks } = await lab.town.json<{ asks: { answeredBy: string }[] }>('asks')
    expect(asks.map((ask) => ask.answeredBy)).toEqual(['autonomous', 'policy 1'])
    await report([{ type: 'session.idle', session: 'ses_1' }])
  })

  it('cannot be answered by the agent that asks', async () => {
    await report([asked('per_own')])
    const { asks } = await lab.town.json<{ asks: { id: string }[] }>('asks')
    const id = asks[0]?.id ?? ''
    const ran = await lab.town.gtIn(lab.town.root, { env: as(session) }, 'answer', id, 'allow')
    expectRefusal(ran, { exitCode: 2, says: /is your own/ })
    const waited = lab.town.gt('answer', id, 'deny', '--timeout', '20s')
    let told = await report([])
    while (told.asks[0]?.answer === undefined) told = await report([])
    expect(told.asks[0]?.answer).toMatchObject({ reply: 'reject' })
    await report([{ type: 'permission.replied', session: 'ses_1', id: 'per_own', reply: 'always' }])
    // Somebody on the screen was faster, with another answer.
    expectRefusal(await waited, {
      exitCode: 5,
      says: /is closed: it was answered by somebody in the session itself: always/,
    })
  })
})
