import { existsSync } from 'node:fs'

/** What the test wants of this process. */
export function readOrder<T>(): T {
  return JSON.parse(process.argv[2] ?? '{}') as T
}

/** Says that this process has loaded and waits for all to be let go at the same moment. */
export function waitForStart(path: string): void {
  process.stdout.write('ready\n')
  const cell = new Int32Array(new SharedArrayBuffer(4))
  while (!existsSync(path)) Atomics.wait(cell, 0, 0, 1)
}
