import module from 'node:module'

// Node 22 and newer keep the compiled code of the bundle: half of the start-up time. Node 20 has no such thing.
;(module as { enableCompileCache?: () => unknown }).enableCompileCache?.()

let aborted: AbortController | undefined

/** Only for commands that ask for it: the others end at the first Ctrl-C, which no promise of ours forbids. */
function interruption(): AbortSignal {
  if (aborted) return aborted.signal
  const controller = new AbortController()
  aborted = controller
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      // The second one means it.
      if (controller.signal.aborted) process.exit(130)
      controller.abort(new Error(signal))
    })
  }
  return controller.signal
}

// A reader that left (`gt tail | head`) is no error. Errors of the stream come as exceptions until it has a listener.
process.on('uncaughtException', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE' && error.syscall === 'write') process.exit(0)
  process.stderr.write(`${error.stack ?? error.message}\n`)
  process.exit(70)
})

/** A folder that was removed under us (an agent took its worktree away) must not keep a command from answering. */
function currentFolder(): string {
  try {
    return process.cwd()
  } catch {
    return process.env.PWD ?? '/'
  }
}

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
  get cwd() {
    return currentFolder()
  },
  packageDir: __dirname.replace(/\/dist$/, ''),
  get signal() {
    return interruption()
  },
}

// Late, so that the compile cache serves it.
void import('./cli/run-cli.js')
  .then(({ runCli }) => runCli(process.argv.slice(2), io))
  .then((exitCode) => {
    process.exitCode = aborted?.signal.aborted && exitCode === 0 ? 130 : exitCode
  })
