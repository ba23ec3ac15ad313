import { execa } from 'execa'
import { ExternalError } from '../domain/errors.js'

/** Gives this terminal to another program until it ends. @returns its exit code */
export async function runInTerminal(argv: readonly string[]): Promise<number> {
  const [program, ...args] = argv
  if (program === undefined) return 0
  // Ctrl-C belongs to the program in front.
  const ignore = () => {}
  process.on('SIGINT', ignore)
  try {
    const ended = await execa(program, args, { stdio: 'inherit', reject: false })
    if (ended.code !== undefined && ended.exitCode === undefined) {
      throw new ExternalError(`cannot run ${program}`, {
        code: 'cannot-run',
        details: { argv: [...argv] },
        cause: ended,
      })
    }
    return ended.exitCode ?? 1
  } finally {
    process.off('SIGINT', ignore)
  }
}
