import { spawn } from 'node:child_process'
import { ExternalError } from '../../domain/errors.js'
import { tail } from '../../system/run.js'
import { tmuxFailureOf } from './tmux-client.js'

/** A tmux client in control mode: one process that stays, asked over its standard input. */
export interface ControlClient extends AsyncDisposable {
  /**
   * One command, no ";" (each would give an answer of its own).
   * @throws ExternalError `tmux-failed` when tmux refuses it, `control-closed` when the client ended meanwhile
   */
  request(command: string): Promise<string>
  /** Fulfilled when the client ended by itself or by `close`; says why. */
  readonly closed: Promise<string>
  close(): Promise<void>
}

export interface ControlClientOptions {
  /** tmux with everything before and after `-C`: the command that attaches it. */
  argv: readonly string[]
  /** A line that begins with "%" outside of any answer: `%sessions-changed`. */
  onNotification: (line: string) => void
}

interface Answer {
  resolve: (lines: string) => void
  reject: (error: Error) => void
  command: string
}

/** Between closing its input, on which tmux detaches, and killing it. */
const CLOSE_WAIT_MS = 2000

export function openControlClient(options: ControlClientOptions): ControlClient {
  const [file = '', ...args] = options.argv
  const child = spawn(file, args, { env: {}, cwd: '/', stdio: ['pipe', 'pipe', 'pipe'] })
  const waiting: Answer[] = []
  let stderr = ''
  let exitLine = ''
  const parser = createControlParser({
    onNotification(line) {
      if (line.startsWith('%exit')) exitLine = line
      options.onNotification(line)
    },
    onAnswer(isError, text) {
      const answer = waiting.shift()
      if (answer === undefined) return
      if (!isError) answer.resolve(text)
      else answer.reject(refused(answer.command, text))
    },
  })
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => parser.push(chunk))
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr = tail(stderr + chunk)
  })
  child.stdin.on('error', () => undefined) // EPIPE: `closed` tells

  const closed = new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(error.message))
    child.on('close', () =>
      resolve(stderr.trim() || exitLine.replace(/^%exit ?/, '') || 'its control client ended'),
    )
  }).then((why) => {
    for (const answer of waiting.splice(0)) answer.reject(lost(answer.command, why))
    isOpen = false
    return why
  })
  let isOpen = true

  const close = async () => {
    child.stdin.end()
    const killer = setTimeout(() => child.kill('SIGKILL'), CLOSE_WAIT_MS)
    await closed
    clearTimeout(killer)
  }
  return {
    closed,
    close,
    [Symbol.asyncDispose]: close,
    request(command) {
      if (!isOpen) return Promise.reject(lost(command, 'closed'))
      return new Promise((resolve, reject) => {
        waiting.push({ resolve, reject, command })
        child.stdin.write(`${command}\n`)
      })
    },
  }
}

function refused(command: string, said: string): ExternalError {
  return new ExternalError(`tmux failed: ${said.trim()}`, {
    code: tmuxFailureOf(said),
    details: { command, stderr: said },
  })
}

function lost(command: string, why: string): ExternalError {
  return new ExternalError(`tmux did not answer: ${why}`, { code: 'control-closed', details: { command } })
}

export interface ControlHandlers {
  onNotification(line: string): void
  /** Only answers to our own input, in its order. */
  onAnswer(isError: boolean, text: string): void
}

/**
 * Answers are blocks, `%begin <time> <number> <flags>` to `%end` or `%error` with the same three words; inside, a line
 * may begin with anything. Flags 0 marks what we did not ask over this input.
 */
export function createControlParser(handlers: ControlHandlers): { push(chunk: string): void } {
  let rest = ''
  let block: { words: string; lines: string[] } | undefined
  const take = (line: string) => {
    if (block === undefined) {
      if (line.startsWith('%begin ')) block = { words: line.slice('%begin '.length), lines: [] }
      else if (line.startsWith('%')) handlers.onNotification(line)
      return
    }
    const isEnd = line === `%end ${block.words}`
    if (!isEnd && line !== `%error ${block.words}`) {
      block.lines.push(line)
      return
    }
    const { words, lines } = block
    block = undefined
    if (!words.endsWith(' 0')) handlers.onAnswer(!isEnd, lines.map((text) => `${text}\n`).join(''))
  }
  return {
    push(chunk) {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) take(line)
    },
  }
}
