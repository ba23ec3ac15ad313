import type { ModelRequest, Reply } from './script.js'

export interface CompletionChunk {
  data: Record<string, unknown>
  /** A word that a person should see appear. */
  isWord: boolean
}

/** The chunks of one streamed chat completion, without the closing `[DONE]`. */
export function completionChunks(step: Reply, request: ModelRequest): CompletionChunk[] {
  const base = {
    id: `chatcmpl-${request.sessionId}-${request.messages.length}`,
    object: 'chat.completion.chunk',
    created: Math.floor(Date.parse(request.receivedAt) / 1000),
    model: request.model,
  }
  const delta = (change: Record<string, unknown>, isWord: boolean): CompletionChunk => ({
    data: { ...base, choices: [{ index: 0, delta: change, finish_reason: null }] },
    isWord,
  })
  const tools = step.tools ?? []
  const finishReason = step.cutOff === true ? 'length' : tools.length > 0 ? 'tool_calls' : 'stop'
  return [
    delta({ role: 'assistant' }, false),
    ...pieces(step.think ?? '').map((text) => delta({ reasoning_content: text }, true)),
    ...pieces(step.say ?? '').map((text) => delta({ content: text }, true)),
    ...tools.map((call, index) =>
      delta(
        {
          tool_calls: [
            {
              index,
              // The time keeps ids apart when a compaction has made the conversation short again.
              id: `call_${Date.parse(request.receivedAt).toString(36)}_${request.messages.length}_${index}`,
              type: 'function',
              function: { name: call.tool, arguments: JSON.stringify(call.args) },
            },
          ],
        },
        false,
      ),
    ),
    { data: { ...base, choices: [{ index: 0, delta: {}, finish_reason: finishReason }] }, isWord: false },
    { data: { ...base, choices: [], usage: usageOf(step, request) }, isWord: false },
  ]
}

/** Words with the space after them: joined again they are the text. */
export function pieces(text: string): string[] {
  return text.match(/\s*\S+\s*|\s+/g) ?? []
}

export function eventLine(data: Record<string, unknown>): string {
  return `data: ${JSON.stringify(data)}\n\n`
}

function usageOf(step: Reply, request: ModelRequest): Record<string, unknown> {
  const input = step.usage?.input ?? tokens(request.messages.map((message) => message.text).join(''))
  const reasoning = step.usage?.reasoning ?? tokens(step.think ?? '')
  const words = tokens(`${step.say ?? ''}${JSON.stringify(step.tools ?? [])}`)
  const output = step.usage?.output ?? words + reasoning
  return {
    prompt_tokens: input,
    completion_tokens: output,
    total_tokens: input + output,
    prompt_tokens_details: { cached_tokens: step.usage?.cachedInput ?? 0 },
    completion_tokens_details: { reasoning_tokens: reasoning },
  }
}

/** The usual rule of thumb: four characters are a token. */
function tokens(text: string): number {
  return Math.ceil(text.length / 4)
}
