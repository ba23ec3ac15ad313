import type { TranscriptMessage } from './transcript.js'

/**
 * What was cut off when a server died: the last answer was never completed. The model will not see that half answer nor its
 * tool calls again, so whoever goes on must be told.
 *
 * @returns a sentence for the prompt; undefined when the last turn ended by itself
 */
export function describeInterruption(messages: readonly TranscriptMessage[]): string | undefined {
  const answer = messages.findLast(({ info }) => info.role === 'assistant')
  const isUnanswered = messages.at(-1)?.info.role === 'user'
  const said = [
    answer === undefined ? undefined : describeAnswer(answer),
    isUnanswered ? 'Your last instruction was not answered yet.' : undefined,
  ].filter((sentence) => sentence !== undefined)
  return said.length === 0 ? undefined : said.join(' ')
}

function describeAnswer({ info, parts }: TranscriptMessage): string | undefined {
  if (info.role !== 'assistant' || info.time.completed !== undefined) return undefined
  const running = parts.flatMap((part) =>
    part.type === 'tool' && (part.state.status === 'running' || part.state.status === 'pending')
      ? [part]
      : [],
  )
  if (running.length === 0) return 'You were cut off in the middle of an answer.'
  const calls = running.map((part) => {
    const { command, filePath } = part.state.input as { command?: unknown; filePath?: unknown }
    const what = [command, filePath].find((value) => typeof value === 'string')
    return typeof what === 'string' ? `${part.tool} (${clip(what)})` : part.tool
  })
  return `You were cut off while this ran, and it may be half done: ${calls.join(', ')}.`
}

/** As many of the newest messages as are looked at: several may have been queued behind the answer that was cut off. */
export const INTERRUPTION_LOOK_BACK = 20

/** One line of at most 300 characters. */
function clip(text: string): string {
  const line = text.trim().replace(/\s*\n\s*/g, ' ; ')
  return line.length > 300 ? `${line.slice(0, 300)}…` : line
}
