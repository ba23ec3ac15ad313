import type { Message, Part } from '@opencode-ai/sdk/v2/client'

export interface TranscriptMessage {
  info: Message
  parts: Part[]
}

/** Lines of a tool's output that are shown; the whole of it is in the conversation. */
const TOOL_OUTPUT_LINES = 200

/**
 * A conversation as plain lines: `> ` what it was told, as it is what it says, `$ ` what it runs with the output below. Lines
 * of a part are only ever added to while it grows, so that a follower can count them.
 */
export function transcriptLines(messages: readonly TranscriptMessage[]): string[] {
  return messages.flatMap(({ info, parts }) => [
    ...parts.flatMap((part) => partLines(part, info.role)),
    ...errorLines(info),
  ])
}

/** @param text - the text so far of a part that still grows; its last line is not over yet and left out */
export function partLines(part: Part, role: Message['role'], text?: string): string[] {
  switch (part.type) {
    case 'text':
      if (part.synthetic === true || part.ignored === true) return []
      return textLines(text ?? part.text, role === 'user' ? '> ' : '', text !== undefined)
    case 'tool':
      return toolLines(part)
    case 'compaction':
      return ['-- the conversation was compacted --']
    default:
      return []
  }
}

/** The failure that ended a message. */
export function errorLines(info: Message): string[] {
  if (info.role !== 'assistant' || info.error === undefined) return []
  const { name, data } = info.error as { name: string; data?: { message?: unknown } }
  if (name === 'MessageAbortedError') return ['! interrupted']
  return [`! ${name}: ${plain(String(data?.message ?? '')).split('\n')[0] ?? ''}`]
}

function textLines(text: string, prefix: string, isOpen: boolean): string[] {
  const lines = plain(text).split('\n')
  if (isOpen) lines.pop()
  else while (lines.at(-1)?.trim() === '') lines.pop()
  return lines.map((line) => `${prefix}${line.trimEnd()}`)
}

function toolLines(part: Extract<Part, { type: 'tool' }>): string[] {
  const { state } = part
  if (state.status === 'pending') return []
  const head = toolHead(part.tool, state.input)
  if (state.status === 'running') return head
  if (state.status === 'error') return [...head, ...indent([`! ${state.error}`])]
  return part.tool === 'bash' ? [...head, ...indent(cut(state.output))] : head
}

function toolHead(tool: string, input: Record<string, unknown>): string[] {
  if (tool === 'bash') {
    const [first = '', ...rest] = plain(String(input.command ?? '')).split('\n')
    return [`$ ${first}`, ...indent(rest)]
  }
  const what = ['filePath', 'pattern', 'path', 'description', 'url', 'name'].map((key) => input[key])
  const shown = what.find((value) => typeof value === 'string')
  return [`* ${tool}${shown === undefined ? '' : ` ${plain(String(shown)).split('\n')[0]}`}`]
}

function cut(output: string): string[] {
  const lines = plain(output).trimEnd().split('\n')
  const more = lines.length - TOOL_OUTPUT_LINES
  return more > 0 ? [...lines.slice(0, TOOL_OUTPUT_LINES), `… ${more} more lines`] : lines
}

function indent(lines: readonly string[]): string[] {
  return lines.flatMap((line) => line.split('\n')).map((line) => `  ${line.trimEnd()}`)
}

/** Without escape codes, and without control characters that would drive a terminal. */
function plain(text: string): string {
  return text
    .replace(/\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\-_])/g, '')
    .replace(/\r\n?/g, '\n')
    .replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '')
}
