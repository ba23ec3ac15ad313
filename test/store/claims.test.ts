import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { dumpStore } from './support/dump.js'
import { tempStore, transact } from './support/temp-store.js'
import { bundleWorker, type RunningWorker, startWorker } from './support/workers.js'
import type { ClaimOrder, ClaimReport } from './workers/claim-worker.js'

const PROCESSES = 12
const BEADS = 40

async function allReady(workers: readonly RunningWorker[]): Promise<void> {
  await Promise.all(
    workers.map(
      ({ child, ended }) =>
        new Promise<void>((resolve, reject) => {
          child.stdout?.once('data', () => resolve())
          ended.then(({ stderr }) => reject(new Error(`worker ended early: ${stderr}`)))
        }),
    ),
  )
}

describe('12 processes at the same beads at the same moment', () => {
  for (const segmentLimitBytes of [256 * 1024, 2000]) {
    it(`claim and create each exactly once (segments of ${segmentLimitBytes} bytes)`, async () => {
      await using store = await tempStore()
      await using script = await bundleWorker('claim-worker')
      const ledger = store.open({ segmentLimitBytes })
      const beads = Array.from({ length: BEADS }, (_, i) => `bead-${i}`)
      const made = beads.map((id) => `made-${id}`)
      const names = Array.from({ length: PROCESSES }, (_, i) => `proj/agent-${i}`)
      transact(ledger, () => [
        ...beads.map((id) => ({ o: 'new' as const, id, k: 'bead' as const, f: { status: 'open' } })),
        ...names.map((id) => ({ o: 'new' as const, id, k: 'agent' as const, f: {} })),
      ])
      const start = join(store.dir, 'local/start')
      const workers = names.map((name) => {
        const order: ClaimOrder = { dir: store.dir, start, name, beads, made, segmentLimitBytes }
        return startWorker(script, order)
      })
      await allReady(workers)
      writeFileSync(start, '')
      const reports = await Promise.all(
        workers.map(async ({ ended }): Promise<ClaimReport> => {
          const { stdout, stderr } = await ended
          expect(stderr).toBe('')
          return JSON.parse(stdout.split('\n')[1] ?? '')
        }),
      )

      expect(reports.flatMap(({ claimed }) => claimed).sort()).toEqual([...beads].sort())
      expect(reports.flatMap(({ created }) => created).sort()).toEqual([...made].sort())
      const view = ledger.read()
      for (const [i, { claimed, created }] of reports.entries()) {
        for (const id of claimed) {
          expect(view.get(id)).toMatchObject({ generation: 2, fields: { assignee: names[i] } })
          expect(view.comments(id).map(({ text }) => text)).toEqual([`claimed by ${names[i]}`])
        }
        for (const id of created) expect(view.get(id)?.fields.title).toBe(names[i])
        expect(view.get(names[i] ?? '')?.generation).toBe(1 + claimed.length)
      }
      expect(view.damage).toEqual({ tornLines: 0, badLines: 0, unknownOps: 0 })
      ledger.compactCache(true)
      expect(dumpStore(store.dir, 'with snapshot')).toEqual(dumpStore(store.dir, 'log only'))
    })
  }
})
