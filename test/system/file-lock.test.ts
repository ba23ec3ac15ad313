import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TimeoutError } from '../../src/domain/errors.js'
import { withFileLock } from '../../src/system/file-lock.js'
import { bundleWorker } from '../orchestrators/bundle-worker.js'
import { failure } from '../orchestrators/eventually.js'

let folder = ''
let worker = ''
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gt-'))
  worker = await bundleWorker('../system/lock-worker.ts', folder)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function places(name: string): { dir: string; lock: string; counter: string } {
  const dir = join(folder, name)
  const counter = join(folder, `${name}.counter`)
  writeFileSync(counter, '0')
  return { dir, lock: join(dir, 'the.lock'), counter }
}

function start(lock: string, counter: string, rounds: string) {
  return spawn(process.execPath, [worker, lock, counter, rounds], { stdio: ['ignore', 'pipe', 'inherit'] })
}

async function holder(lock: string, counter: string) {
  const child = start(lock, counter, 'hold')
  await once(child.stdout, 'data')
  return child
}

describe('withFileLock', () => {
  it('lets one process in at a time, and leaves nothing behind', async () => {
    const { dir, lock, counter } = places('many')
    const exits = Array.from({ length: 4 }, () => once(start(lock, counter, '40'), 'exit'))
    for (const exit of await Promise.all(exits)) expect(exit).toEqual([0, null])
    expect(readFileSync(counter, 'utf8')).toBe('160')
    expect(readdirSync(dir)).toEqual([])
  })

  it('keeps the order of one at a time after its holder was killed, with many waiters', async () => {
    const { dir, lock, counter } = places('killed')
    const dead = await holder(lock, counter)
    const exits = Array.from({ length: 4 }, () => once(start(lock, counter, '10'), 'exit'))
    dead.kill('SIGKILL')
    for (const exit of await Promise.all(exits)) expect(exit).toEqual([0, null])
    expect(readFileSync(counter, 'utf8')).toBe('40')
    expect(readdirSync(dir)).toEqual([])
  })

  it('breaks also the lock of a process that died while breaking', async () => {
    const { dir, lock, counter } = places('breaker')
    const dead = await holder(lock, counter)
    dead.kill('SIGKILL')
    await once(dead, 'exit')
    const { nonce } = JSON.parse(readFileSync(lock, 'utf8')) as { nonce: string }
    const breaker = await holder(`${lock}.break.${nonce}`, counter)
    breaker.kill('SIGKILL')
    await once(breaker, 'exit')
    expect(await withFileLock(lock, { timeoutMs: 10_000 }, async () => 'in')).toBe('in')
    expect(readdirSync(dir)).toEqual([])
  })

  it('says who holds it when the time is up', async () => {
    const { lock, counter } = places('held')
    const child = await holder(lock, counter)
    const error = await failure(withFileLock(lock, { timeoutMs: 50 }, async () => 'in'))
    expect(error).toBeInstanceOf(TimeoutError)
    expect(error).toMatchObject({
      code: 'lock-timeout',
      message: expect.stringContaining(`process ${child.pid}`),
    })
    expect((error as Error).message).toContain('holding on')
    child.kill('SIGKILL')
  })

  it('frees the lock when the work fails, and takes over a damaged one', async () => {
    const { dir, lock } = places('failing')
    const fail = async () => {
      throw new Error('no luck')
    }
    await expect(withFileLock(lock, { timeoutMs: 1000 }, fail)).rejects.toThrow('no luck')
    writeFileSync(lock, '{"pid":')
    expect(await withFileLock(lock, { timeoutMs: 1000 }, async () => 'in')).toBe('in')
    expect(readdirSync(dir)).toEqual([])
  })
})
