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

export interface ScreenView {
  lines: string[]
  /** Column and row, as tmux says them. */
  cursor: string
}

/** The screen and the cursor at the same moment. */
export async function captureView(client: TmuxClient, paneId: string): Promise<ScreenView> {
  const where = ['display-message', '-p', '-t', paneId, '#{cursor_x},#{cursor_y}']
  const text = await client.run([...where, ';', 'capture-pane', '-p', '-t', paneId])
  const [cursor = '', ...lines] = text.split('\n')
  return { lines: cutBlanks(lines), cursor }
}
