import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { readChatRequest } from './chat-request.js'
import { completionChunks, eventLine, pieces } from './completion.js'
import {
  chooseStep,
  type Fail,
  type Hang,
  type ModelRequest,
  type Reply,
  type Step,
  type Turn,
} from './script.js'

export interface ScriptedModelOptions {
  turns: readonly Turn[]
  /** Called for a request that no turn matches; it is in `unscripted` too. */
  onUnscripted?: (request: ModelRequest) => void
  /** One line per request. */
  log?: (line: string) => void
  /** Pause between two words, so that a person sees it type. */
  typingDelayMs?: number
  /** Said when a turn's steps are used up. */
  closingText?: string
}

export interface ScriptedModel {
  /** Base URL of the OpenAI API: `http://127.0.0.1:PORT/v1`. */
  url: string
  /** Every request, oldest first, with the turn and step that answered it. */
  requests: readonly ModelRequest[]
  unscripted: readonly ModelRequest[]
  /** Cuts open connections (hanging turns too). Repeatable. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * A model without AI: an OpenAI chat-completions server on the loopback that answers from a script. Used by the tests
 * and by `gt demo`.
 */
export async function startScriptedModel(options: ScriptedModelOptions): Promise<ScriptedModel> {
  const state: State = { options, requests: [], unscripted: [], failures: new Map() }
  const closing = new AbortController()
  const server = createServer((request, response) => {
    serve(state, request, response, closing.signal).catch((error: unknown) =>
      refuse(response, 500, String(error)),
    )
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const close = async (): Promise<void> => {
    closing.abort()
    server.closeAllConnections()
    await new Promise<void>((resolve) => server.close(() => resolve()))
  }
  return {
    url: `http://127.0.0.1:${port}/v1`,
    requests: state.requests,
    unscripted: state.unscripted,
    close,
    [Symbol.asyncDispose]: close,
  }
}

interface State {
  options: ScriptedModelOptions
  requests: ModelRequest[]
  unscripted: ModelRequest[]
  /** How often a step with `times` has failed, by conversation place. */
  failures: Map<string, number>
}

async function serve(
  state: State,
  incoming: IncomingMessage,
  response: ServerResponse,
  closing: AbortSignal,
): Promise<void> {
  if (incoming.method === 'GET' && incoming.url === '/v1/models') {
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ object: 'list', data: [{ id: 'scripted', object: 'model' }] }))
    return
  }
  if (incoming.method !== 'POST' || incoming.url !== '/v1/chat/completions') {
    refuse(response, 404, `the scripted model has no ${incoming.method} ${incoming.url}`)
    return
  }
  const body = await readBody(incoming)
  const request = parse(body, incoming)
  if (request instanceof Error) {
    refuse(response, 400, `the scripted model cannot read this request: ${request.message}`)
    return
  }
  const answer = decide(state, request)
  if (answer === undefined) {
    state.requests.push(request)
    state.unscripted.push(request)
    state.options.log?.(`${request.sessionId} UNSCRIPTED: ${firstLine(request.lastUserText)}`)
    state.options.onUnscripted?.(request)
    // 400 and not 5xx: a client would repeat those for a minute before it shows the error.
    refuse(response, 400, `the scripted model has no turn for: ${firstLine(request.lastUserText)}`)
    return
  }
  state.requests.push(answer.request)
  state.options.log?.(describe(answer.request, answer.step))
  const gone = goneSignal(response, closing)
  try {
    await perform(answer.step, {
      request: answer.request,
      response,
      gone,
      typingDelayMs: state.options.typingDelayMs ?? 0,
    })
  } catch (error) {
    if (!gone.aborted) throw error
  }
}

function decide(state: State, request: ModelRequest): { request: ModelRequest; step: Step } | undefined {
  if (request.kind === 'title')
    return { request, step: { say: firstLine(request.lastUserText, 40) || 'Scripted session' } }
  if (request.kind === 'compaction') return { request, step: { say: summaryOf(request) } }
  const chosen = chooseStep(state.options.turns, request)
  if (chosen === undefined) return undefined
  const step = chosen.step ?? { say: state.options.closingText ?? 'That is all I have to do here.' }
  return { request: chosen.request, step: afterFailures(state, chosen.request, step) }
}

function summaryOf(request: ModelRequest): string {
  const users = request.messages.filter((message) => message.role === 'user').length
  return `Summary by the scripted model: ${request.messages.length} messages so far, ${users} of them from the user.`
}

function afterFailures(state: State, request: ModelRequest, step: Step): Step {
  if (step.kind !== 'fail' || step.times === undefined) return step
  const place = `${request.sessionId} ${request.messages.length} ${request.turn} ${request.step}`
  const failed = state.failures.get(place) ?? 0
  if (failed >= step.times) return step.afterwards ?? { say: '' }
  state.failures.set(place, failed + 1)
  return step
}

interface Exchange {
  request: ModelRequest
  response: ServerResponse
  gone: AbortSignal
  typingDelayMs: number
}

async function perform(step: Step, exchange: Exchange): Promise<void> {
  if (step.delayMs !== undefined) await sleep(step.delayMs, undefined, { signal: exchange.gone })
  if (step.kind === 'fail') fail(step, exchange.response)
  else if (step.kind === 'hang') await hang(step, exchange)
  else await reply(step, exchange)
}

function fail(step: Fail, response: ServerResponse): void {
  const { retryAfterMs, retryAfterS, code = null } = step
  const headers: Record<string, string> = {
    ...(retryAfterMs === undefined ? {} : { 'retry-after-ms': String(retryAfterMs) }),
    ...(retryAfterS === undefined ? {} : { 'retry-after': String(retryAfterS) }),
  }
  refuse(response, step.status, step.body ?? `the script says: fail with ${step.status}`, { headers, code })
}

async function hang(step: Hang, exchange: Exchange): Promise<void> {
  openStream(exchange.response)
  for (const text of pieces(step.say ?? '')) {
    exchange.response.write(eventLine({ choices: [{ index: 0, delta: { content: text } }] }))
  }
  await new Promise<void>((resolve) =>
    exchange.gone.addEventListener('abort', () => resolve(), { once: true }),
  )
  exchange.response.destroy()
}

async function reply(step: Reply, exchange: Exchange): Promise<void> {
  const { response, request, typingDelayMs } = exchange
  openStream(response)
  for (const chunk of completionChunks(step, request)) {
    if (exchange.gone.aborted) return
    response.write(eventLine(chunk.data))
    if (chunk.isWord && typingDelayMs > 0) await sleep(typingDelayMs, undefined, { signal: exchange.gone })
  }
  response.end('data: [DONE]\n\n')
}

function openStream(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' })
  response.flushHeaders()
}

function refuse(
  response: ServerResponse,
  status: number,
  message: string,
  more: { headers?: Record<string, string>; code?: string | null } = {},
): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  response.writeHead(status, { 'content-type': 'application/json', ...more.headers })
  response.end(JSON.stringify({ error: { message, type: 'scripted_model', code: more.code ?? null } }))
}

function goneSignal(response: ServerResponse, closing: AbortSignal): AbortSignal {
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  return AbortSignal.any([gone.signal, closing])
}

async function readBody(incoming: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of incoming) parts.push(part as Buffer) // no encoding is set, so the parts are buffers
  return Buffer.concat(parts).toString('utf8')
}

function parse(body: string, incoming: IncomingMessage): ModelRequest | Error {
  const header = incoming.headers['x-session-id'] ?? incoming.headers['x-session-affinity'] ?? ''
  try {
    return readChatRequest(body, { sessionId: String(header), receivedAt: new Date().toISOString() })
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}

function describe(request: ModelRequest, step: Step): string {
  const place = request.turn === undefined ? request.kind : `${request.turn}#${request.step}`
  const what =
    step.kind === 'hang' || step.kind === 'fail'
      ? step.kind
      : (step.tools?.map((call) => call.tool).join('+') ?? `say ${firstLine(step.say ?? '', 40)}`)
  return `${request.sessionId} ${place}: ${what}`
}

function firstLine(text: string, maxLength = 120): string {
  const line = text.trim().split('\n', 1)[0] ?? ''
  return line.length > maxLength ? `${line.slice(0, maxLength)}…` : line
}
