import { chmod, mkdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** What the plugin reported: the line, as it is. */
export interface Report {
  type: string
  at: string
  session?: string
  [key: string]: unknown
}

/** A stand-in for the gt program: writes down each call and answers from files. */
export interface FakeGt {
  bin: string
  runDir: string
  bellDir: string
  /** Each call as its arguments, in order. */
  calls(): Promise<string[]>
  reports(): Promise<Report[]>
  setPrime(text: string): Promise<void>
  /** Puts a mail in the box without ringing. */
  putMail(text: string, more?: { id?: string; again?: boolean }): Promise<void>
  /** What `gt mail check --turn-end` says when there is no mail. */
  setReminder(text: string): Promise<void>
  /** What `gt report` says to every batch from now on. */
  setAnswer(answer: unknown): Promise<void>
  ring(agent: string): Promise<void>
  /** The named subcommand ends with 1 from now on, or works again. */
  fail(subcommand: 'prime' | 'mail' | 'report', failing: boolean): Promise<void>
}

const SCRIPT = `#!/bin/sh
here="$(dirname "$0")"
echo "$*" >> "$here/calls.log"
if [ -e "$here/fail-$1" ]; then echo "no luck with $1" >&2; exit 1; fi
case "$1" in
  prime) cat "$here/prime.txt" ;;
  mail)
    if mv "$here/mail.json" "$here/mail.$$" 2>/dev/null; then cat "$here/mail.$$"
    elif [ -e "$here/reminder.json" ] && [ "$*" != "\${*%--turn-end}" ]; then cat "$here/reminder.json"
    else echo '{"mails":[]}'; fi ;;
  report) echo "$GT_AGENT $GT_SESSION" >> "$here/reporters.log"; cat >> "$here/reports.jsonl"; cat "$here/answer.json" 2>/dev/null || true ;;
esac
`

export async function makeFakeGt(dir: string): Promise<FakeGt> {
  await mkdir(dir, { recursive: true })
  const at = (name: string) => join(dir, name)
  const bin = at('gt')
  await writeFile(bin, SCRIPT)
  await chmod(bin, 0o755)
  await writeFile(at('prime.txt'), 'PRIME ONE: you are proj/toast\n')
  const bellDir = at('bells')
  await mkdir(bellDir)
  return {
    bin,
    runDir: at('run'),
    bellDir,
    calls: async () => lines(await textOf(at('calls.log'))),
    reports: async () => lines(await textOf(at('reports.jsonl'))).map((line) => JSON.parse(line) as Report),
    setPrime: (text) => writeFile(at('prime.txt'), text),
    putMail: (text, { id = 'm-1', again = false } = {}) =>
      writeFile(at('mail.json'), JSON.stringify({ mails: [{ id, text, mark: text.slice(0, 20), again }] })),
    setReminder: (reminder) => writeFile(at('reminder.json'), JSON.stringify({ mails: [], reminder })),
    setAnswer: (answer) => writeFile(at('answer.json'), JSON.stringify(answer)),
    ring: async (agent) => {
      const bell = join(bellDir, agent.replaceAll('/', '_'))
      await writeFile(bell, '', { flag: 'a' })
      await utimes(bell, new Date(), new Date())
    },
    fail: async (subcommand, failing) =>
      failing
        ? await writeFile(at(`fail-${subcommand}`), '')
        : await rm(at(`fail-${subcommand}`), { force: true }),
  }
}

function lines(text: string): string[] {
  return text.split('\n').filter((line) => line !== '')
}

export async function textOf(path: string): Promise<string> {
  return await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw error
  })
}
