import type { ChatMessage, ModelRequest } from './script.js'

export interface RequestFacts {
  sessionId: string
  receivedAt: string
}

/**
 * Reads the body of `POST /chat/completions`.
 * @throws SyntaxError or TypeError when it is not one
 */
export function readChatRequest(body: string, facts: RequestFacts): ModelRequest {
  const json: unknown = JSON.parse(body)
  if (!isObject(json) || !Array.isArray(json.messages))
    throw new TypeError('no list "messages" in the request')
  const messages = json.messages.map(chatMessage)
  const systemText = textOf(messages, 'system').join('\n\n')
  const toolNames = Array.isArray(json.tools) ? json.tools.map(toolName) : []
  const lastUserText = textOf(messages, 'user').at(-1) ?? ''
  return {
    kind: kindOf(systemText, toolNames),
    ...facts,
    model: typeof json.model === 'string' ? json.model : '',
    systemText,
    messages,
    lastUserText,
    userText: lastUserText,
    step: 0,
    toolResults: [],
    toolNames,
  }
}

/** Seen with opencode 1.18: both special calls carry no tools, and only the title's system text starts like this. */
function kindOf(systemText: string, toolNames: readonly string[]): ModelRequest['kind'] {
  if (toolNames.length > 0) return 'turn'
  return systemText.startsWith('You are a title generator') ? 'title' : 'compaction'
}

function textOf(messages: readonly ChatMessage[], role: ChatMessage['role']): string[] {
  return messages.filter((message) => message.role === role).map((message) => message.text)
}

function chatMessage(value: unknown): ChatMessage {
  if (!isObject(value)) throw new TypeError('a message of the request is not an object')
  const role = value.role
  if (role !== 'system' && role !== 'user' && role !== 'assistant' && role !== 'tool') {
    throw new TypeError(`unknown role "${String(role)}"`)
  }
  return { role, text: contentText(value.content) }
}

function contentText(content: unknown): string {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) return ''
  return content
    .map((part: unknown) => (isObject(part) && typeof part.text === 'string' ? part.text : ''))
    .filter((text) => text !== '')
    .join('\n')
}

function toolName(tool: unknown): string {
  const named = isObject(tool) && isObject(tool.function) ? tool.function.name : undefined
  return typeof named === 'string' ? named : ''
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
