import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { Ack } from '../workers/kill-worker.js'
import { dumpStore } from './dump.js'
import type { TempStore } from './temp-store.js'

export function ackCount(path: string): number {
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').length - 1 : 0
}

export function readAcks(folder: string): Ack[] {
  return readdirSync(folder).flatMap((name) => {
    const lines = readFileSync(join(folder, name), 'utf8').split('\n').slice(0, -1)
    return lines.map((line) => JSON.parse(line) as Ack)
  })
}

/** @param but - a snapshot has counted torn lines that compaction has deleted since */
export function expectSnapshotEqualsLog(store: TempStore, but?: 'torn lines apart'): void {
  const [snapshot, log] = [dumpStore(store.dir, 'with snapshot'), dumpStore(store.dir, 'log only')]
  if (but !== undefined) for (const { damage } of [snapshot, log]) delete damage?.tornLines
  expect(snapshot).toEqual(log)
}

/** What kill-workers were told is there, once. */
export function expectPromisesKept(store: TempStore, acks: readonly Ack[]): void {
  const view = store.open().read()
  const sent = new Map<unknown, number>()
  for (const { data } of view.events({ type: 'mail.sent' })) sent.set(data.id, (sent.get(data.id) ?? 0) + 1)
  expect(
    [...sent.values()].filter((count) => count !== 1),
    'mails sent twice',
  ).toEqual([])
  expect(view.count({ kind: 'mail' }), 'a mail and its event come together').toBe(sent.size)

  const claims = new Map<string, string>()
  for (const { data, by } of view.events({ type: 'claimed' })) {
    const claim = `${data.bead} ${data.gen}`
    expect(claims.has(claim), `two winners of ${claim}`).toBe(false)
    claims.set(claim, by)
  }
  for (const ack of acks) {
    if (ack.kind === 'mail') {
      expect(sent.has(ack.id), `acknowledged mail ${ack.id}`).toBe(true)
      expect(view.get(ack.id)?.kind).toBe('mail')
    } else
      expect(
        ack.by.startsWith(`${claims.get(`${ack.id} ${ack.gen}`)}-`),
        `claim of ${ack.id} ${ack.gen}`,
      ).toBe(true)
  }
}
