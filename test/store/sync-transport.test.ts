import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { StoreOptions } from '../../src/store/store-options.js'
import { dumpStore } from './support/dump.js'
import { httpGit } from './support/http-git.js'
import { beads, expectSame, make } from './support/machines.js'
import { type Machine, sharedRemote } from './support/shared-remote.js'

function over(machine: Machine, url: string, env: Record<string, string> = {}) {
  const options: StoreOptions = { env: { ...process.env, ...env } }
  return machine.sync({ remote: { url, refs: 'branches' }, options })
}

/** Stands in for ssh: drops its options and the host, and runs the rest here. */
function fakeSsh(folder: string, body = 'exec sh -c "$1"'): Record<string, string> {
  const path = join(folder, 'fake-ssh')
  writeFileSync(path, `#!/bin/sh\nwhile [ $# -gt 1 ]; do shift; done\n${body}\n`)
  chmodSync(path, 0o755)
  return { GIT_SSH_COMMAND: path }
}

/** A connection that is gone after the other side has said this much. */
function cutSsh(folder: string, bytes: number): Record<string, string> {
  const path = join(folder, 'cut-ssh')
  writeFileSync(
    path,
    `#!${process.execPath}
let left = ${bytes}
const server = require('node:child_process').spawn('sh', ['-c', 'exec ' + process.argv.at(-1)], {
  stdio: ['inherit', 'pipe', 'ignore'],
})
server.stdout.on('data', (data) => {
  process.stdout.write(data.subarray(0, left))
  left -= data.length
  if (left > 0) return
  left = 0
  server.kill('SIGKILL')
})
server.on('close', (code) => process.exit(left === 0 ? 1 : code))
`,
  )
  chmodSync(path, 0o755)
  return { GIT_SSH_COMMAND: path, GIT_SSH_VARIANT: 'simple' }
}

describe('an exchange', () => {
  it('goes over ssh by both forms of an address, over http, and over a path, into one state', async () => {
    await using remote = await sharedRemote()
    await using http = await httpGit(remote.dir)
    const machines = await Promise.all(Array.from({ length: 4 }, () => remote.machine()))
    const ssh = fakeSsh(remote.dir)
    const ways: [string, Record<string, string>][] = [
      [`ssh://me@host${remote.dir}`, ssh],
      [`me@host:${remote.dir}`, ssh],
      [http.url, {}],
      [remote.dir, {}],
    ]
    for (const [i, machine] of machines.entries()) make(machine, `m-${i}`)
    for (let round = 0; round < 2; round++) {
      for (const [i, machine] of machines.entries()) {
        const [url, env] = ways[i] ?? ['', {}]
        expect(await over(machine, url, env)).toMatchObject({ refused: [] })
      }
    }
    expect(beads(machines[0] as Machine)).toEqual(['m-0', 'm-1', 'm-2', 'm-3'])
    expectSame(...machines)
  })

  it('asks nobody for a password, and takes the one that git is given', async () => {
    await using remote = await sharedRemote()
    await using http = await httpGit(remote.dir, 'sesame')
    const a = await remote.machine()
    make(a, 'a-1')
    // A person's helper that would ask on a screen must not be started either.
    const mark = join(remote.dir, 'asked')
    const ask = join(remote.dir, 'ask')
    writeFileSync(ask, `#!/bin/sh\ntouch ${mark}\nsleep 100\n`)
    chmodSync(ask, 0o755)
    const failed: unknown = await over(a, http.url, { SSH_ASKPASS: ask }).catch((e: unknown) => e)
    expect(failed).toMatchObject({ code: 'remote-auth', exitCode: 6 })
    expect(existsSync(mark)).toBe(false)
    const helper = {
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: 'credential.helper',
      GIT_CONFIG_VALUE_0: '!f() { echo username=me; echo password=sesame; }; f',
    }
    expect(await over(a, http.url, helper)).toMatchObject({ sent: { records: 1 } })
    expect(readFileSync(join(a.dir, 'local/sync.json'), 'utf8')).not.toContain('sesame')
  })

  it('that breaks off in the middle changes nothing, and goes through the next time', async () => {
    await using remote = await sharedRemote()
    const [a, b] = [await remote.machine(), await remote.machine()]
    make(a, ...Array.from({ length: 300 }, (_, i) => `a-${i}`))
    await a.sync()
    make(b, 'b-1')
    const before = dumpStore(b.dir, 'log only')
    const address = `me@host:${remote.dir}`
    for (const bytes of [3, 150, 700]) {
      const cut = cutSsh(remote.dir, bytes)
      const failed: unknown = await over(b, address, cut).catch((e: unknown) => e)
      expect(failed, `${bytes} bytes`).toMatchObject({ code: 'remote-unreachable', exitCode: 6 })
      expect(dumpStore(b.dir, 'log only'), `${bytes} bytes`).toEqual(before)
    }
    expect(await over(b, address, fakeSsh(remote.dir))).toMatchObject({
      received: [{ records: 1 }],
      refused: [],
    })
    await a.sync()
    expectSame(a, b)
  })

  it('says that the disk is full, here and there', async () => {
    await using remote = await sharedRemote()
    const a = await remote.machine()
    make(a, 'a-1')
    const words = (text: string) => fakeSsh(remote.dir, `echo "${text}" >&2; exit 128`)
    const address = `me@host:${remote.dir}`
    const here: unknown = await over(a, address, words('fatal: write error: No space left on device')).catch(
      (e: unknown) => e,
    )
    expect(here).toMatchObject({ code: 'disk-full', exitCode: 6 })
    const there: unknown = await over(
      a,
      address,
      words('remote: fatal: write error: No space left on device'),
    ).catch((e: unknown) => e)
    expect(there).toMatchObject({ code: 'remote-disk-full', exitCode: 6 })
    rmSync(join(remote.dir, 'fake-ssh'))
    expect(await a.sync()).toMatchObject({ sent: { records: 1 } })
  })
})
