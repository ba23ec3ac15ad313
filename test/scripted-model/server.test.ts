import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { scriptedOpencodeConfig } from '../../src/scripted-model/opencode-config.js'
import type { Turn } from '../../src/scripted-model/script.js'
import {
  type ScriptedModel,
  type ScriptedModelOptions,
  startScriptedModel,
} from '../../src/scripted-model/server.js'

const models: ScriptedModel[] = []
afterEach(async () => {
  for (const model of models.splice(0)) await model.close()
})

async function start(
  turns: Turn[],
  options: Omit<ScriptedModelOptions, 'turns'> = {},
): Promise<ScriptedModel> {
  const model = await startScriptedModel({ turns, ...options })
  models.push(model)
  return model
}

interface Message {
  role: string
  content: unknown
}
const system: Message = { role: 'system', content: 'You are opencode.' }
const user = (content: unknown): Message => ({ role: 'user', content })
const assistant = (content: string): Message => ({ role: 'assistant', content })
const tool = (content: string): Message => ({ role: 'tool', content })

interface Answer {
  status: number
  text: string
  thought: string
  deltas: number
  calls: { id: string; name: string; args: unknown }[]
  finish: string | undefined
  usage: Record<string, unknown> | undefined
  headers: Headers
  body: string
}

interface Delta {
  content?: string
  reasoning_content?: string
  tool_calls?: { id: string; function: { name: string; arguments: string } }[]
}
interface Chunk {
  choices: { delta: Delta; finish_reason?: string | null }[]
  usage?: Record<string, unknown>
}

async function ask(
  model: ScriptedModel,
  messages: Message[],
  request: Record<string, unknown> = {},
): Promise<Answer> {
  const response = await fetch(`${model.url}/chat/completions`, {
    method: 'POST',
    headers: { 'x-session-id': 'ses_1' },
    body: JSON.stringify({
      model: 'm1',
      messages,
      tools: [{ type: 'function', function: { name: 'bash' } }],
      ...request,
    }),
  })
  const body = await response.text()
  const lines = body.split('\n').flatMap((line) => (line.startsWith('data: {') ? [line.slice(6)] : []))
  const chunks = lines.map((line) => JSON.parse(line) as Chunk)
  const deltas = chunks.flatMap((chunk) => chunk.choices.map((choice) => choice.delta))
  return {
    status: response.status,
    text: deltas.map((delta) => delta.content ?? '').join(''),
    thought: deltas.map((delta) => delta.reasoning_content ?? '').join(''),
    deltas: deltas.filter((delta) => delta.content !== undefined).length,
    calls: deltas.flatMap((delta) =>
      (delta.tool_calls ?? []).map((call) => ({
        id: call.id,
        name: call.function.name,
        args: JSON.parse(call.function.arguments) as unknown,
      })),
    ),
    finish: chunks
      .flatMap((chunk) => chunk.choices.map((choice) => choice.finish_reason ?? ''))
      .find((each) => each !== ''),
    usage: chunks.at(-1)?.usage,
    headers: response.headers,
    body,
  }
}

const WORK: Turn = {
  name: 'work',
  when: { userText: /^work/ },
  steps: [
    { think: 'What now?', say: 'I look around.', tools: [{ tool: 'bash', args: { command: 'ls' } }] },
    { say: 'Done with the work.' },
  ],
}

describe('a script', () => {
  test('is followed by counting the assistant messages since the user message', async () => {
    const model = await start([WORK])
    const first = await ask(model, [system, user('work please')])
    expect(first).toMatchObject({
      status: 200,
      text: 'I look around.',
      thought: 'What now?',
      finish: 'tool_calls',
    })
    expect(first.calls).toEqual([
      { id: expect.stringMatching(/^call_/), name: 'bash', args: { command: 'ls' } },
    ])
    expect(first.deltas).toBe(3)
    const second = await ask(model, [system, user('work please'), assistant('I look around.'), tool('a.txt')])
    expect(second).toMatchObject({ text: 'Done with the work.', finish: 'stop', calls: [] })
    expect(model.requests.map((request) => `${request.sessionId} ${request.turn} ${request.step}`)).toEqual([
      'ses_1 work 0',
      'ses_1 work 1',
    ])
    expect(model.requests[1]?.toolResults).toEqual(['a.txt'])
  })

  test('is not derailed by a message that no turn knows', async () => {
    const model = await start([WORK])
    const talk = [
      system,
      user('work please'),
      assistant('I look around.'),
      tool('a.txt'),
      user('how is it going?'),
    ]
    expect((await ask(model, talk)).text).toBe('Done with the work.')
    expect(model.requests[0]).toMatchObject({ lastUserText: 'how is it going?', userText: 'work please' })
  })

  test('is left for a newer message that another turn knows', async () => {
    const model = await start([
      WORK,
      { name: 'mail', when: { userText: /mail/ }, steps: [{ say: 'Read it.' }] },
    ])
    expect((await ask(model, [user('work'), assistant('I look around.'), user('mail for you')])).text).toBe(
      'Read it.',
    )
  })

  test('ends with a closing text', async () => {
    const model = await start([WORK], { closingText: 'No more.' })
    expect((await ask(model, [user('work'), assistant('1'), assistant('2')])).text).toBe('No more.')
  })

  test('may ask for a system text, look at the request, and be computed', async () => {
    const model = await start([
      { name: 'as mayor', when: { systemText: /you are mayor/ }, steps: [{ say: 'mayor' }] },
      {
        name: 'echo',
        when: (request) => request.toolNames.includes('bash'),
        steps: (request) => ({ say: `step ${request.step} after ${request.toolResults.join()}` }),
      },
    ])
    const parts = [
      { type: 'text', text: 'a' },
      { type: 'text', text: 'b' },
    ]
    expect((await ask(model, [system, user(parts), assistant(''), tool('one')])).text).toBe(
      'step 1 after one',
    )
    expect(model.requests[0]?.lastUserText).toBe('a\nb')
    expect((await ask(model, [system, { role: 'system', content: 'you are mayor' }, user('x')])).text).toBe(
      'mayor',
    )
  })
})

describe('answers', () => {
  test('to titles and compactions need no script', async () => {
    const model = await start([])
    const title = await ask(
      model,
      [{ role: 'system', content: 'You are a title generator.' }, user('Fix it\nnow')],
      { tools: [] },
    )
    expect(title.text).toBe('Fix it')
    expect((await ask(model, [system, user('Summarise')], { tools: [] })).text).toContain('Summary')
    expect(model.requests.map((request) => request.kind)).toEqual(['title', 'compaction'])
    expect(model.unscripted).toEqual([])
  })

  test('hold usage, estimated or as the script says', async () => {
    const model = await start([
      {
        name: 'big',
        when: { userText: /big/ },
        steps: [{ say: 'x', usage: { input: 120_000, cachedInput: 1_000, output: 7 } }],
      },
      { name: 'any', when: {}, steps: [{ say: '12345678' }] },
    ])
    expect((await ask(model, [user('big')])).usage).toMatchObject({
      prompt_tokens: 120_000,
      completion_tokens: 7,
      prompt_tokens_details: { cached_tokens: 1_000 },
    })
    expect((await ask(model, [user('abcdefgh')])).usage).toMatchObject({
      prompt_tokens: 2,
      total_tokens: expect.any(Number),
    })
  })

  test('can be cut off', async () => {
    const model = await start([{ name: 'any', when: {}, steps: [{ say: 'and then', cutOff: true }] }])
    expect(await ask(model, [user('x')])).toMatchObject({ text: 'and then', finish: 'length' })
  })

  test('fail as often as the script says', async () => {
    const steps: Turn['steps'] = [
      {
        kind: 'fail',
        status: 429,
        retryAfterMs: 20,
        times: 2,
        afterwards: { say: 'at last' },
        body: 'slow down',
      },
    ]
    const model = await start([{ name: 'any', when: {}, steps }])
    const first = await ask(model, [user('x')])
    expect(first).toMatchObject({ status: 429, body: expect.stringContaining('slow down') })
    expect(first.headers.get('retry-after-ms')).toBe('20')
    expect((await ask(model, [user('x')])).status).toBe(429)
    expect((await ask(model, [user('x')])).text).toBe('at last')
  })

  test('hang until the client or the server goes', async () => {
    const model = await start([{ name: 'any', when: {}, steps: [{ kind: 'hang', say: 'hm' }] }])
    const gone = new AbortController()
    const call = (signal?: AbortSignal) =>
      fetch(`${model.url}/chat/completions`, {
        method: 'POST',
        body: JSON.stringify({ messages: [user('x')], tools: [{ function: { name: 'bash' } }] }),
        ...(signal === undefined ? {} : { signal }),
      })
    const left = await call(gone.signal)
    gone.abort()
    await expect(left.text()).rejects.toThrow()
    const cut = await call()
    const ending = expect(cut.text()).rejects.toThrow()
    await sleep(20)
    await model.close()
    await ending
  })

  test('are typed slowly on request', async () => {
    const model = await start([{ name: 'any', when: {}, steps: [{ say: 'one two three' }] }], {
      typingDelayMs: 15,
    })
    const before = Date.now()
    expect((await ask(model, [user('x')])).text).toBe('one two three')
    expect(Date.now() - before).toBeGreaterThanOrEqual(30)
  })
})

describe('what no script covers', () => {
  test('is refused and recorded', async () => {
    const seen: string[] = []
    const model = await start([WORK], { onUnscripted: (request) => seen.push(request.lastUserText) })
    const answer = await ask(model, [system, user('something else')])
    expect(answer).toMatchObject({
      status: 400,
      body: expect.stringContaining('no turn for: something else'),
    })
    expect(model.unscripted).toHaveLength(1)
    expect(seen).toEqual(['something else'])
  })

  test.each([
    ['no JSON', '{', 400],
    ['no messages', '{}', 400],
  ])('%s is refused', async (_name, body, status) => {
    const model = await start([WORK])
    expect((await fetch(`${model.url}/chat/completions`, { method: 'POST', body })).status).toBe(status)
    expect((await fetch(`${model.url}/elsewhere`)).status).toBe(404)
    expect((await fetch(`${model.url}/models`)).status).toBe(200)
  })
})

test('the opencode configuration names the server and says that no AI is at work', () => {
  const config = scriptedOpencodeConfig({ url: 'http://127.0.0.1:1/v1', contextTokens: 5 })
  expect(config).toMatchObject({
    model: 'scripted/m1',
    enabled_providers: ['scripted'],
    provider: {
      scripted: {
        name: 'gt scripted model (no AI)',
        options: { baseURL: 'http://127.0.0.1:1/v1' },
        models: { m1: { limit: { context: 5 } } },
      },
    },
  })
})
