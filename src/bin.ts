import module from 'node:module'

// Node 22 and newer keep the compiled code of the bundle: half of the start-up time. Node 20 has no such thing.
;(module as { enableCompileCache?: () => unknown }).enableCompileCache?.()

const aborted = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    // The second one means it.
    if (aborted.signal.aborted) process.exit(130)
    aborted.abort(new Error(signal))
  })
}
// A reader that left (`gt tail | head`) is no error. Errors of the stream come as exceptions until it has a listener.
process.on('uncaughtException', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE' && error.syscall === 'write') process.exit(0)
  process.stderr.write(`${error.stack ?? error.message}\n`)
  process.exit(70)
})

const io = {
  // Each stream is opened when it is first used: that costs a millisecond or two.
  get stdin() {
    return process.stdin
  },
  get stdout() {
    return process.stdout
  },
  get stderr() {
    return process.stderr
  },
  env: process.env,
  pid: process.pid,
  cwd: process.cwd(),
  packageDir: __dirname.replace(/\/dist$/, ''),
  signal: aborted.signal,
}

// Late, so that the compile cache serves it.
void import('./cli/run-cli.js')
  .then(({ runCli }) => runCli(process.argv.slice(2), io))
  .then((exitCode) => {
    process.exitCode = aborted.signal.aborted && exitCode === 0 ? 130 : exitCode
  })
