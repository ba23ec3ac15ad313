import { cpSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { Op } from '../../../src/domain/record.js'
import { readIdentity } from '../../../src/store/clone-identity.js'
import { storePaths } from '../../../src/store/layout.js'
import { openLedger } from '../../../src/store/open-ledger.js'
import { linesOf } from '../../../src/store/sync/plan-chain.js'
import { dumpStore } from './dump.js'
import { asMachine, type Machine, type SharedRemote } from './shared-remote.js'
import { type TempStore, transact } from './temp-store.js'

export function make(machine: Machine, ...ids: string[]): void {
  transact(machine.open(), () =>
    ids.map((id): Op => ({ o: 'new', id, k: 'bead', f: { status: 'open', title: id } })),
  )
}

export function claim(machine: Machine, id: string, agent: string): void {
  transact(machine.open(), (view) => [
    { o: 'move', id, gen: (view.get(id)?.generation ?? 0) + 1, f: { status: 'hooked', assignee: agent } },
    { o: 'ev', type: 'claimed', data: { id, agent } },
  ])
}

export function beads(machine: Machine): string[] {
  return machine
    .open()
    .read()
    .list({ kind: 'bead' })
    .map(({ id }) => id)
    .sort()
}

export function expectSame(...machines: Machine[]): void {
  const [first, ...others] = machines.map((machine) => dumpStore(machine.dir, 'log only'))
  for (const other of others) {
    expect(withoutChains(other)).toEqual(withoutChains(first))
  }
}

/** What counts: which chain a generation came by may differ after a record was written down in two. */
function withoutChains(dump: ReturnType<typeof dumpStore> | undefined) {
  const entities = Object.entries(dump?.entities ?? {}).map(([id, state]) => {
    const { ch: _, ...rest } = state as Record<string, unknown>
    return [id, rest]
  })
  return { ...dump, entities: Object.fromEntries(entities), damage: undefined }
}

/** The same store in another folder, as a copy of a directory or of a machine would be. */
export function copyOf(machine: Machine, remote: SharedRemote, keepsIdentity: boolean): Machine {
  const folder = `${join(machine.dir, '..')}-copy${Math.random().toString(36).slice(2)}`
  const dir = join(folder, '.beads')
  cpSync(machine.dir, dir, { recursive: true })
  if (keepsIdentity) pretendSamePlace(dir)
  const store: TempStore = {
    dir,
    clone: machine.clone,
    log: join(dir, 'log'),
    open: (options = {}) => openLedger(dir, { sync: 'os', ...options }),
    [Symbol.asyncDispose]: async () => rmSync(folder, { recursive: true, force: true }),
  }
  return asMachine(store, { url: remote.dir, refs: 'branches' })
}

/** A machine image has the inode, too. */
function pretendSamePlace(dir: string): void {
  const paths = storePaths(dir)
  const { ino, dev } = statOf(dir)
  const identity = JSON.parse(readFileSync(paths.clone, 'utf8')) as { place: string }
  writeFileSync(paths.clone, `${JSON.stringify({ ...identity, place: `${dev}:${ino}` })}\n`)
}

function statOf(dir: string) {
  return statSync(dir, { bigint: true })
}

export function allLines(machine: Machine): string[] {
  return readdirSync(machine.log).flatMap((name) => [...linesOf(readFileSync(join(machine.log, name)))])
}

export function cloneOf(machine: Machine): string | undefined {
  return readIdentity(storePaths(machine.dir).clone)?.clone
}
