import { type Convoy, convoyFrom } from '../domain/convoy.js'
import { UsageError } from '../domain/errors.js'
import type { Op } from '../domain/record.js'
import type { View } from '../ports/ledger.js'
import { checkTitle } from './create-bead.js'
import { findBead, getBead, getConvoy } from './find-entity.js'
import { newKey } from './new-key.js'
import type { Town } from './town.js'
import { type ConvoyView, viewConvoy } from './town-view.js'

export function createConvoy(town: Town, title: string, beads: readonly string[]): ConvoyView {
  const checked = checkTitle(title)
  const decision = town.ledger.transact(town.actor, (view) => {
    const members = beads.map((typed) => getBead(view, typed).id as string)
    const { id, a } = newKey(town, view, 'cv')
    const ops: Op[] = [{ o: 'new', id, k: 'convoy', a, f: { title: checked, status: 'open' } }]
    if (members.length > 0) ops.push({ o: 'add', id, f: 'beads', x: members })
    return { id, ops }
  })
  return showConvoy(town, decision.id)
}

export function addToConvoy(town: Town, typed: string, beads: readonly string[]): ConvoyView {
  if (beads.length === 0) throw new UsageError('name at least one bead to add', { code: 'missing-argument' })
  const decision = town.ledger.transact(town.actor, (view) => {
    const convoy = getConvoy(view, typed)
    const members = beads.map((bead) => getBead(view, bead).id as string)
    return { id: convoy.id, ops: [{ o: 'add' as const, id: convoy.id, f: 'beads', x: members }] }
  })
  return showConvoy(town, decision.id)
}

export function closeConvoy(town: Town, typed: string): ConvoyView {
  const decision = town.ledger.transact(town.actor, (view) => {
    const convoy = getConvoy(view, typed)
    if (convoy.status === 'closed') return { id: convoy.id }
    return {
      id: convoy.id,
      ops: [
        { o: 'move' as const, id: convoy.id, gen: convoy.generation + 1, f: { status: 'closed' } },
        { o: 'ev' as const, type: 'convoy.closed', data: { convoy: convoy.id } },
      ],
    }
  })
  return showConvoy(town, decision.id)
}

export function showConvoy(town: Town, typed: string): ConvoyView {
  const view = town.ledger.read()
  return viewConvoy(view, getConvoy(view, typed))
}

/** Keys of the open beads of a convoy; undefined when the word is a bead, or no convoy at all. */
export function openBeadsOf(view: View, typed: string): string[] | undefined {
  if (view.resolve('bead', typed).kind === 'found' || view.resolve('convoy', typed).kind !== 'found')
    return undefined
  return getConvoy(view, typed).beads.filter((key) => findBead(view, key)?.status === 'open')
}

/** Open ones first, each group in order of creation. */
export function listConvoys(town: Town, all: boolean): ConvoyView[] {
  const view = town.ledger.read()
  const convoys: Convoy[] = view.list({ kind: 'convoy' }).map(convoyFrom)
  const shown = all ? convoys : convoys.filter((convoy) => convoy.status === 'open')
  return shown.map((convoy) => viewConvoy(view, convoy))
}
