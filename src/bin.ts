import { enableCompileCache } from './system/compile-cache.js'

// Node 22 and newer keep the compiled code of the bundle: half of the start-up time. Node 20 has no such thing.
enableCompileCache()

const { runCli } = await import('./cli/run-cli.js')

const aborted = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    // The second one means it.
    if (aborted.signal.aborted) process.exit(130)
    aborted.abort(new Error(signal))
  })
}
// A reader that left (`gt tail | head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

const exitCode = await runCli(process.argv.slice(2), {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  cwd: process.cwd(),
  env: process.env,
  packageDir: new URL('..', import.meta.url).pathname.replace(/\/$/, ''),
  pid: process.pid,
  signal: aborted.signal,
})
process.exitCode = aborted.signal.aborted && exitCode === 0 ? 130 : exitCode
