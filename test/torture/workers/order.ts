import { existsSync, writeSync } from 'node:fs'

/** What the torture wants of this process. */
export function readOrder<T>(): T {
  return JSON.parse(process.argv[2] ?? '{}') as T
}

/** One line on standard output, in the pipe when this returns: what was said before a kill is heard after it. */
export function say(message: object): void {
  const line = Buffer.from(`${JSON.stringify(message)}\n`)
  for (let written = 0; written < line.length; ) {
    try {
      written += writeSync(1, line, written)
    } catch (error) {
      // The reader is busy.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
      pause(1)
    }
  }
}

export function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

/** Says that this process has loaded and waits for all to be let go at the same moment. */
export function waitForStart(path: string): void {
  say({ kind: 'ready' })
  while (!existsSync(path)) pause(1)
}
