import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import {
  descendants,
  findProcess,
  isAlive,
  parsePs,
  parseStat,
  processStart,
  signalTree,
  snapshotProcesses,
} from '../../src/system/process-table.js'
import { eventually } from '../orchestrators/eventually.js'

const NO_PROC = '/no/proc'

describe('parseStat', () => {
  const rest = '1 2 3 34816 40 4194304 1 0 0 0 5 6 0 0 20 0 1 0 424242 1000 10 18446744073709551615'

  it('is not misled by spaces and parentheses in a program name', () => {
    const entry = { pid: 77, parentPid: 1, sessionId: 3, startTime: '424242' }
    expect(parseStat(`77 (sh) S ${rest}`)).toEqual(entry)
    expect(parseStat(`77 (a) Z 9 9 (b) ) S ${rest}`)).toEqual(entry)
  })

  it('takes a zombie for gone', () => {
    expect(parseStat(`77 (sh) Z ${rest}`)).toBeUndefined()
  })
})

describe('parsePs', () => {
  it('reads the columns of ps, without zombies', () => {
    const text = '    1     0 Ss   Mon Jun  2 10:20:30 2025\n   42     1 Z    Mon Jun  2 10:20:31 2025\n'
    expect(parsePs(text)).toEqual([{ pid: 1, parentPid: 0, startTime: 'Mon-Jun-2-10-20-30-2025' }])
  })
})

describe.each([
  ['/proc', '/proc'],
  ['ps', NO_PROC],
])('the process table from %s', (_name, procDir) => {
  it('knows this process by pid and start time', () => {
    const start = processStart(process.pid, procDir)
    expect(start).toMatch(/^[\w-]+$/)
    expect(isAlive(process.pid, start ?? '', procDir)).toBe(true)
    expect(isAlive(process.pid, `${start}0`, procDir)).toBe(false)
    expect(isAlive(2 ** 22 + 1, start ?? '', procDir)).toBe(false)
    expect(snapshotProcesses(procDir).some(({ pid }) => pid === process.pid)).toBe(true)
  })

  it('lists children and their children, and takes the ended ones off', async () => {
    const child = spawn('sh', ['-c', 'sleep 1000 & wait'], { stdio: 'ignore' })
    const pid = child.pid ?? 0
    const below = await eventually('a grandchild', () => {
      const found = descendants(process.pid, procDir)
      const grandchild = found.find(({ parentPid }) => parentPid === pid)
      return found.some((entry) => entry.pid === pid) && grandchild
    })
    process.kill(below.pid, 'SIGKILL')
    await once(child, 'exit')
    expect(findProcess(pid, procDir)).toBeUndefined()
  })
})

describe('signalTree', () => {
  const start = async (script: string): Promise<ChildProcess> => {
    const child = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'ignore'] })
    await once(child.stdout ?? child, 'data')
    return child
  }
  const refOf = (child: ChildProcess) => findProcess(child.pid ?? 0) ?? expect.fail('it should run')

  it('lets the root end its children its own way', async () => {
    const child = await start("trap 'kill $!; exit 5' TERM; sleep 1000 & echo up; wait")
    const exit = once(child, 'exit')
    const root = refOf(child)
    const report = await signalTree({ root, members: descendants(root.pid), graceMs: 10_000 })
    expect(await exit).toEqual([5, null])
    expect(report).toEqual({ signalled: [{ pid: root.pid, signal: 'SIGTERM' }], survivors: [] })
  })

  it('kills what does not listen, and what that started meanwhile', async () => {
    const child = await start("trap '' TERM HUP; echo up; while :; do sleep 0.01 & sleep 0.05; done")
    const exit = once(child, 'exit')
    const report = await signalTree({ root: refOf(child), members: [], graceMs: 150 })
    expect(await exit).toEqual([null, 'SIGKILL'])
    expect(report.survivors).toEqual([])
    expect(report.signalled.filter(({ pid }) => pid === child.pid).map(({ signal }) => signal)).toEqual([
      'SIGTERM',
      'SIGHUP',
      'SIGKILL',
    ])
  })

  it('does not touch another process that got the same pid', async () => {
    const child = await start('echo up; exec sleep 1000')
    const { pid, startTime } = refOf(child)
    const report = await signalTree({ members: [{ pid, startTime: `${startTime}0` }], graceMs: 0 })
    expect(report).toEqual({ signalled: [], survivors: [] })
    expect(isAlive(pid, startTime)).toBe(true)
    child.kill('SIGKILL')
  })
})
