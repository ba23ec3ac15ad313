import type { GtError } from '../domain/errors.js'
import type { CliContext } from './command.js'

/** A server that does not start, as the backend tells it. */
const CANNOT_START = ['server-start-failed', 'server-start-timeout', 'unsupported-version']

/**
 * `fallback = "ask"`: whether a person wants the work in tmux instead. Without a terminal nobody is asked; it says then what
 * would do it.
 * @returns the beads that go to tmux
 */
export async function askForFallback(
  context: CliContext,
  failed: readonly { bead: string; error: GtError }[],
): Promise<string[]> {
  const beads = failed.filter(({ error }) => CANNOT_START.includes(error.code)).map(({ bead }) => bead)
  const [first] = failed
  if (beads.length === 0 || first === undefined) return []
  const { stdin, stdout, stderr } = context.io
  if (context.json || !stdin.isTTY || !stdout.isTTY) {
    context.note(
      `fallback = "ask", and there is no terminal to ask on: gt sling ${beads.join(' ')} --backend tmux`,
    )
    return []
  }
  const { createInterface } = await import('node:readline/promises')
  const prompt = createInterface({ input: stdin, output: stderr })
  try {
    const answer = await prompt.question(
      `${first.error.message}\nUse tmux for ${beads.join(', ')} instead? [y/N] `,
    )
    return /^y(es)?$/i.test(answer.trim()) ? beads : []
  } finally {
    prompt.close()
  }
}
