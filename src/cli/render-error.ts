import { GtError, SilentExit, UsageError } from '../domain/errors.js'

/** One error as text for people or as one JSON object, and its exit code. */
export function renderError(error: unknown, json: boolean): { text: string; exitCode: number } {
  if (error instanceof SilentExit) return { text: '', exitCode: error.exitCode }
  if (!(error instanceof GtError)) return renderBug(error, json)
  if (json) {
    const { message, code, hint, details, exitCode } = error
    const facts = { code, message, ...(hint === undefined ? {} : { hint }), details, exitCode }
    return { text: jsonLine({ error: facts }), exitCode }
  }
  const lines = [`gt: ${error.message}`]
  const usage = error instanceof UsageError ? error.details.usage : undefined
  if (typeof usage === 'string') lines.push(`usage: ${usage}`)
  const stderr = error.details.stderr
  if (typeof stderr === 'string' && stderr.trim() !== '' && !error.message.includes(stderr.trim())) {
    lines.push(
      ...stderr
        .trim()
        .split('\n')
        .slice(-5)
        .map((line) => `  ${line}`),
    )
  }
  if (error.hint !== undefined) lines.push(`hint: ${error.hint.replaceAll('\n', '\\x0a')}`)
  return { text: harmless(`${lines.join('\n')}\n`), exitCode: error.exitCode }
}

/** Words of the user, names of files and output of other programs end up in errors: none of it may drive the terminal. */
function harmless(text: string): string {
  return text.replace(
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g,
    (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
}

/** JSON itself escapes only the control characters below the space. */
function jsonLine(value: unknown): string {
  const text = JSON.stringify(value)
  return `${text.replace(/[\u007f-\u009f]/g, (c) => `\\u00${c.charCodeAt(0).toString(16)}`)}\n`
}

const BUG_EXIT = 70

function renderBug(error: unknown, json: boolean): { text: string; exitCode: number } {
  const disk = diskProblem(error)
  if (disk !== undefined) return renderError(disk, json)
  const message = error instanceof Error ? error.message : String(error)
  if (json)
    return { text: jsonLine({ error: { code: 'bug', message, exitCode: BUG_EXIT } }), exitCode: BUG_EXIT }
  const stack = error instanceof Error ? (error.stack ?? message) : message
  return {
    text: `gt: a promise in gt's own code was broken: ${message}\n${stack}\nhint: please report this, with the command you ran\n`,
    exitCode: BUG_EXIT,
  }
}

class DiskError extends GtError {
  readonly exitCode = 1
}

/** A full or read-only disk is the machine's fact, wherever it was met. */
function diskProblem(error: unknown): GtError | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  const words = {
    ENOSPC: 'the disk is full',
    EDQUOT: 'the disk quota is used up',
    EROFS: 'the disk is read-only',
  }
  if (typeof code !== 'string' || !(code in words)) return undefined
  const what = words[code as keyof typeof words]
  return new DiskError(`${what}; this was not done: ${(error as Error).message}`, {
    code: code === 'EROFS' ? 'store-not-writable' : 'disk-full',
    hint: 'free some space, then run the command again',
    cause: error,
  })
}
