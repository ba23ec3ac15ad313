import { describe, expect, it } from 'vitest'
import { runInGroup } from '../../src/system/run-in-group.js'

const env = { PATH: process.env.PATH ?? '' }

function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

describe('a program run in a group of its own', () => {
  it('is heard to its end by a process that is busy for seconds', async () => {
    const bytes = 3_000_000
    const running = Array.from({ length: 4 }, () =>
      runInGroup({ argv: ['sh', '-c', `head -c ${bytes} /dev/zero`], env }),
    )
    const busy = setInterval(() => block(700), 1)
    try {
      for (const { exitCode, stdout } of await Promise.all(running))
        expect({ exitCode, length: stdout.length }).toEqual({ exitCode: 0, length: bytes })
    } finally {
      clearInterval(busy)
    }
  })

  it('is not waited for when something it started holds its pipes open', async () => {
    const { exitCode, stdout } = await runInGroup({
      argv: ['sh', '-c', 'sleep 3 & echo done'],
      env,
    })
    expect({ exitCode, said: stdout.toString() }).toEqual({ exitCode: 0, said: 'done\n' })
  })
})
