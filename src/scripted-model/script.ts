/**
 * What the scripted model says, as data. A script is stateless: the place in it is read from the conversation itself,
 * so retries, restarts of the model server and resumed sessions all continue where the conversation stands.
 */

/** One message as OpenAI's chat completions send it, with its content flattened to text. */
export interface ChatMessage {
  role: 'system' | 'user' | 'assistant' | 'tool'
  text: string
}

/** One call of the model, read for people who write scripts. */
export interface ModelRequest {
  kind: 'turn' | 'title' | 'compaction'
  /** opencode's `ses_…`; empty when the client sent none. */
  sessionId: string
  model: string
  /** All system messages joined by an empty line. */
  systemText: string
  messages: readonly ChatMessage[]
  lastUserText: string
  /** The user message that is looked at: while a turn is sought each one in turn, afterwards the one that matched. */
  userText: string
  /** Assistant messages since `userText`. */
  step: number
  /** Results of tool calls since `userText`, oldest first. */
  toolResults: readonly string[]
  toolNames: readonly string[]
  /** Name of the chosen turn; undefined for title, compaction and unscripted calls. */
  turn?: string
  /** ISO. */
  receivedAt: string
}

export interface Turn {
  /** For logs and assertions. */
  name: string
  when: TurnMatcher
  /** The answers in order, or one that looks at the request (its `step` counts from 0). */
  steps: readonly Step[] | ((request: ModelRequest) => Step)
}

/** Both expressions must match; `systemText` is held against the whole request's system text. */
export type TurnMatcher = ((request: ModelRequest) => boolean) | { userText?: RegExp; systemText?: RegExp }

export type Step = Reply | Hang | Fail

/** One answer of the model: thinking, words and tool calls, each optional. Without tool calls the turn ends with it. */
export interface Reply {
  kind?: 'reply'
  think?: string
  say?: string
  tools?: readonly ToolCall[]
  /** Cut off, as when the output limit is reached. */
  cutOff?: boolean
  usage?: Usage
  /** Waited before the first byte. */
  delayMs?: number
}

/** Starts to answer and never ends, until the client or the server goes away. */
export interface Hang {
  kind: 'hang'
  say?: string
  delayMs?: number
}

export interface Fail {
  kind: 'fail'
  status: number
  /** Sent as `retry-after-ms`. */
  retryAfterMs?: number
  /** Sent as `retry-after`, in seconds. */
  retryAfterS?: number
  /** Machine-readable kind of the error, like `context_length_exceeded`. */
  code?: string
  body?: string
  delayMs?: number
  /** Answer this way so often, then with `afterwards`. Without it: every time. */
  times?: number
  afterwards?: Step
}

export interface ToolCall {
  tool: string
  args: Readonly<Record<string, unknown>>
}

/** In tokens. What is absent is estimated from the length of the text. */
export interface Usage {
  input?: number
  output?: number
  cachedInput?: number
  reasoning?: number
}

export interface ChosenStep {
  turn: Turn
  request: ModelRequest
  /** undefined: the script of this turn is over. */
  step: Step | undefined
}

/**
 * Walks the user messages from the newest to the oldest and takes the first that some turn matches, so that a nudge
 * the script knows nothing about does not derail it.
 */
export function chooseStep(turns: readonly Turn[], request: ModelRequest): ChosenStep | undefined {
  for (let index = request.messages.length - 1; index >= 0; index--) {
    if (request.messages[index]?.role !== 'user') continue
    const view = viewFrom(request, index)
    const turn = turns.find((candidate) => matches(candidate.when, view))
    if (turn === undefined) continue
    const seen = { ...view, turn: turn.name }
    return {
      turn,
      request: seen,
      step: typeof turn.steps === 'function' ? turn.steps(seen) : turn.steps[seen.step],
    }
  }
  return undefined
}

function viewFrom(request: ModelRequest, index: number): ModelRequest {
  const after = request.messages.slice(index + 1)
  return {
    ...request,
    userText: request.messages[index]?.text ?? '',
    step: after.filter((message) => message.role === 'assistant').length,
    toolResults: after.filter((message) => message.role === 'tool').map((message) => message.text),
  }
}

function matches(when: TurnMatcher, request: ModelRequest): boolean {
  if (typeof when === 'function') return when(request)
  return found(when.userText, request.userText) && found(when.systemText, request.systemText)
}

function found(pattern: RegExp | undefined, text: string): boolean {
  // search() ignores lastIndex, so a pattern with the g flag works the second time too.
  return pattern === undefined || text.search(pattern) >= 0
}
