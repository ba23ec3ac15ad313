import type { View } from '../../../src/ports/ledger.js'
import type { Tally } from '../phase.js'
import { expectOneReading, type TortureStore, withLedger } from '../store.js'
import type { Said } from '../workers/victim.js'

/** Holds what processes were told against what the store says now. */
export function expectPromisesKept(
  tally: Tally,
  store: TortureStore,
  said: readonly Said[],
  what: string,
): void {
  withLedger(store.dir, (ledger) => {
    const view = ledger.read()
    expectMails(tally, view, said, what)
    expectClaims(tally, view, said, what)
    expectNotes(tally, view, said, what)
    tally.count('segments compacted', sumOf(said))
    for (const one of said) {
      if (one.kind === 'mended') tally.count('repairs')
      if (one.kind === 'put-off') tally.count(`put off (${one.code})`)
    }
    for (const one of said)
      if (one.kind === 'stopped') tally.lose(`${what}: compaction stopped without need: ${one.why}`)
    tally.count('torn or damaged lines met', view.damage.tornLines + view.damage.badLines)
    tally.expect(view.damage.unknownOps === 0, () => `${what}: ${view.damage.unknownOps} unknown ops`)
    tally.expect(
      view.events({ type: 'never-written' }).length === 0,
      () => `${what}: a torn record was taken for a good one`,
    )
  })
  expectOneReading(tally, store, what)
}

function sumOf(said: readonly Said[]): number {
  return said.reduce((sum, one) => sum + (one.kind === 'compacted' ? one.segments : 0), 0)
}

function expectMails(tally: Tally, view: View, said: readonly Said[], what: string): void {
  const sent = new Map<unknown, number>()
  for (const { data } of view.events({ type: 'mail.sent' })) sent.set(data.id, (sent.get(data.id) ?? 0) + 1)
  for (const [id, count] of sent)
    tally.expect(count === 1, () => `${what}: mail ${id} was sent ${count} times`)
  const mails = view.count({ kind: 'mail' })
  tally.expect(mails === sent.size, () => `${what}: ${mails} mails, but ${sent.size} events of them`)
  for (const one of said) {
    if (one.kind !== 'mail') continue
    tally.count('acknowledged')
    const body = view.get(one.id)?.fields.body
    const length = typeof body === 'string' ? body.length : -1
    tally.expect(
      sent.has(one.id) && length === one.length,
      () => `${what}: acknowledged mail ${one.id} has a body of ${length} instead of ${one.length}`,
    )
  }
}

function expectClaims(tally: Tally, view: View, said: readonly Said[], what: string): void {
  const winners = new Map<string, unknown>()
  const highest = new Map<string, number>()
  for (const { data } of view.events({ type: 'claimed' })) {
    const claim = `${data.bead} ${data.gen}`
    tally.expect(
      !winners.has(claim),
      () => `${what}: ${claim} was won by ${winners.get(claim)} and ${data.by}`,
    )
    winners.set(claim, data.by)
    highest.set(String(data.bead), Math.max(highest.get(String(data.bead)) ?? 0, Number(data.gen)))
  }
  for (const one of said) {
    if (one.kind !== 'claim') continue
    tally.count('acknowledged')
    const winner = winners.get(`${one.id} ${one.gen}`)
    tally.expect(
      winner === one.by,
      () => `${what}: ${one.by} was given ${one.id} ${one.gen}, ${winner} has it`,
    )
  }
  for (const [id, gen] of highest) {
    const bead = view.get(id)
    tally.expect(
      bead?.generation === gen && bead.fields.assignee === winners.get(`${id} ${gen}`),
      () =>
        `${what}: ${id} is at ${bead?.generation} with ${bead?.fields.assignee}, its last claim was ${gen}`,
    )
    tally.expect(
      view.comments(id).length === gen - 1,
      () => `${what}: ${id} has ${view.comments(id).length} comments of ${gen - 1} claims`,
    )
  }
}

function expectNotes(tally: Tally, view: View, said: readonly Said[], what: string): void {
  const newest = new Map<string, number>()
  const comments: { id: string; text: string }[] = []
  for (const one of said) {
    if (one.kind === 'note') newest.set(one.id, Math.max(newest.get(one.id) ?? 0, one.value))
    if (one.kind === 'comment') comments.push(one)
  }
  for (const [id, value] of newest) {
    tally.count('acknowledged')
    const note = Number(view.get(id)?.fields.note)
    // One more may have been written without anybody hearing of it.
    tally.expect(note === value || note === value + 1, () => `${what}: ${id} noted ${value}, it says ${note}`)
  }
  for (const { id, text } of comments) {
    tally.count('acknowledged')
    const times = view.comments(id).filter((comment) => comment.text === text).length
    tally.expect(times === 1, () => `${what}: comment "${text}" is there ${times} times`)
  }
}
