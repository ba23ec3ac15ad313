import { spawn } from 'node:child_process'
import { ExternalError } from '../domain/errors.js'

/** Gives this terminal to another program until it ends. @returns its exit code */
export async function runInTerminal(argv: readonly string[]): Promise<number> {
  const [program, ...args] = argv
  if (program === undefined) return 0
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: 'inherit' })
    // Ctrl-C belongs to the program in front.
    const ignore = () => {}
    process.on('SIGINT', ignore)
    child.on('error', (cause) =>
      reject(
        new ExternalError(`cannot run ${program}`, {
          code: 'cannot-run',
          details: { argv: [...argv] },
          cause,
        }),
      ),
    )
    child.on('exit', (code, signal) => {
      process.off('SIGINT', ignore)
      resolve(code ?? (signal === null ? 0 : 1))
    })
  })
}
