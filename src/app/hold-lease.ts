import type { Bead } from '../domain/bead.js'
import { ConflictError } from '../domain/errors.js'
import { checkSlingable } from './claim-bead.js'
import { getBead } from './find-entity.js'
import { isHere } from './here.js'
import { syncTown } from './sync-town.js'
import type { Town } from './town.js'

const TIMEOUT_MS = 60_000
/** Each lost one means that another machine moved the bead on meanwhile. */
const MAX_TRIES = 3

/**
 * For a bead marked `strict` in a town of several machines: the right to claim it is taken on the remote, and the newest
 * state fetched after that, before anything is claimed here. So it is never worked on twice, not even for the minutes between
 * two exchanges.
 *
 * @returns the generation that it may be claimed at; undefined when no lease is needed
 * @throws ConflictError code `bead-leased`, naming the winner; ExternalError, TimeoutError when the remote could not be asked
 */
export async function holdLease(town: Town, beadKey: string): Promise<number | undefined> {
  const { remote, remoteRefs } = town.config.store
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const bead = getBead(town.ledger.read(), beadKey)
    if (!bead.strict || remote === undefined || bead.status !== 'open') return undefined
    checkSlingable(town.ledger.read(), bead)
    const upkeep = await town.upkeep()
    const answer = await upkeep.lease({
      remote: { url: remote, refs: remoteRefs },
      key: bead.id,
      generation: bead.generation + 1,
      by: town.actor,
      holder: town.host.processToken,
      timeoutMs: TIMEOUT_MS,
    })
    if (answer.kind === 'taken') throw taken(town, bead, answer)
    town.step('sling.leased')
    await syncTown(town, { timeoutMs: TIMEOUT_MS, waitMs: TIMEOUT_MS })
    const now = getBead(town.ledger.read(), beadKey)
    checkSlingable(town.ledger.read(), now)
    if (now.generation === bead.generation) return bead.generation
  }
  throw new ConflictError(`other machines kept moving ${beadKey}`, {
    code: 'bead-taken',
    hint: `gt bead show ${beadKey}`,
  })
}

type Winner = { by: string; clone: string; host: string; at: string }

function taken(town: Town, bead: Bead, { by, clone, host, at }: Winner): ConflictError {
  const show = `gt bead show ${bead.shownId}`
  const isNear = isHere(town, clone)
  return new ConflictError(`${bead.shownId} was leased by ${by} on ${host} (${clone}) at ${at}`, {
    code: 'bead-leased',
    hint: isNear
      ? `another command here is claiming it: ${show}`
      : `its claim comes with the next gt sync; then: ${show}`,
    details: { bead: bead.id, by, clone, host, at },
  })
}
