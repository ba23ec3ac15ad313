import { UsageError } from '../domain/errors.js'
import type { Io } from './command.js'

/** Text given as an option, or `-` for standard input. */
export async function readText(io: Io, value: string | undefined): Promise<string | undefined> {
  if (value !== '-') return value
  return readStdin(io)
}

export async function readStdin(io: Io): Promise<string> {
  if (io.stdin.isTTY) {
    throw new UsageError('"-" reads standard input, but that is a terminal', {
      code: 'no-stdin',
      hint: 'pipe the text in: echo text | gt …',
    })
  }
  const chunks: Buffer[] = []
  for await (const chunk of io.stdin) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}
