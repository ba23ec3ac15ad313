import { tmpdir } from 'node:os'
import { describe, expect, it } from 'vitest'
import { ExternalError, TimeoutError } from '../../src/domain/errors.js'
import { run, tryRun } from '../../src/system/run.js'
import { failure } from '../orchestrators/eventually.js'

describe('run', () => {
  it('passes input, directory and exactly the environment given', async () => {
    const argv = ['/bin/sh', '-c', 'cat; pwd; echo "[$ONLY][$HOME]"; echo warning >&2']
    const result = await run(argv, { stdin: 'in\n', cwd: '/', env: { ONLY: 'this' } })
    expect(result).toEqual({ exitCode: 0, stdout: 'in\n/\n[this][]\n', stderr: 'warning\n' })
  })

  it('throws what went wrong, with the end of standard error', async () => {
    const argv = ['sh', '-c', 'head -c 5000 /dev/zero | tr "\\0" x >&2; echo "the reason" >&2; exit 3']
    const error = await failure(run(argv))
    expect(error).toBeInstanceOf(ExternalError)
    expect(error).toMatchObject({ code: 'command-failed', details: { argv, exitCode: 3 } })
    const { message, details } = error as ExternalError
    expect(message).toContain('the reason')
    expect(String(details.stderr)).toHaveLength(2048)
    expect(await tryRun(['sh', '-c', 'exit 3'])).toMatchObject({ exitCode: 3 })
    expect(await tryRun(['sh', '-c', 'kill -9 $$'])).toMatchObject({ exitCode: 137 })
  })

  it('tells a missing program from a missing directory', async () => {
    const program = await failure(run(['no-such-program']))
    expect(program).toBeInstanceOf(ExternalError)
    expect(program).toMatchObject({ code: 'missing-binary', hint: expect.stringContaining('install') })
    expect(await failure(run(['true'], { cwd: `${tmpdir()}/no/such` }))).toMatchObject({
      code: 'no-such-directory',
    })
  })

  it('does not mind a program that leaves its input unread', async () => {
    expect(await run(['true'], { stdin: 'x'.repeat(1_000_000) })).toMatchObject({ exitCode: 0 })
  })

  it('ends a program that is out of time, even one that ignores SIGTERM', async () => {
    const error = await failure(
      run(['sh', '-c', "trap '' TERM; echo begun; while :; do sleep 0.1; done"], { timeoutMs: 300 }),
    )
    expect(error).toBeInstanceOf(TimeoutError)
    expect(error).toMatchObject({ code: 'command-timeout', details: { stdout: 'begun\n' } })
  })

  it('ends a program on request', async () => {
    const abort = new AbortController()
    const running = failure(run(['sleep', '1000'], { signal: abort.signal }))
    abort.abort()
    expect(await running).toMatchObject({ code: 'aborted' })
    expect(await failure(run(['true'], { signal: abort.signal }))).toMatchObject({ code: 'aborted' })
  })

  it('does not wait for a grandchild that keeps the output open', async () => {
    const result = await run(['sh', '-c', 'sleep 1000 & echo $!'])
    // It still runs: we did not wait for it, and it can be killed.
    expect(process.kill(Number(result.stdout), 'SIGKILL')).toBe(true)
  })
})
