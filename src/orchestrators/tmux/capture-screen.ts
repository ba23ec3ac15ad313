import type { TmuxClient } from './tmux-client.js'

export interface CaptureOptions {
  scrollbackLines?: number
  escapes?: boolean
}

/** @returns lines, top first, trailing blanks cut */
export async function captureScreen(
  client: TmuxClient,
  paneId: string,
  options: CaptureOptions = {},
): Promise<string[]> {
  const { scrollbackLines = 0, escapes = false } = options
  const range = scrollbackLines > 0 ? ['-S', String(-Math.trunc(scrollbackLines))] : []
  const text = await client.run(['capture-pane', '-p', ...(escapes ? ['-e'] : []), ...range, '-t', paneId])
  return cutBlanks(text.split('\n'))
}

export function cutBlanks(lines: readonly string[]): string[] {
  const cut = lines.map((line) => line.trimEnd())
  while (cut.at(-1) === '') cut.pop()
  return cut
}
