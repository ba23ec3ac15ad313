import { stat } from 'node:fs/promises'
import { addRig } from '../app/add-rig.js'
import { createBead } from '../app/create-bead.js'
import { getBead, getConvoy, getRig } from '../app/find-entity.js'
import { openBlockers } from '../app/list-beads.js'
import { checkSling, type SlingRequest } from '../app/sling-work.js'
import type { Town } from '../app/town.js'
import { defaultTown, findTown } from '../config/locate-town.js'
import { beadFrom } from '../domain/bead.js'
import { NotFoundError, UsageError } from '../domain/errors.js'
import type { Rig } from '../domain/rig.js'
import type { CliContext } from './command.js'

export interface Work {
  town: Town
  beads: string[]
  rig: Rig
}

/**
 * The words after `sling` → beads and a rig. Makes a bead of a sentence, and on the first use a town and a rig of the clone
 * it is run in; says so.
 */
export async function resolveWork(
  context: CliContext,
  words: readonly string[],
  dryRun: boolean,
  wishes: Omit<SlingRequest, 'beads' | 'rig'> = {},
): Promise<Work> {
  // Only a sentence can be the first thing that a town hears of; a bead must be known already.
  const mayMakeTown = !dryRun && words.some((word) => /\s/.test(word))
  const town = await townForWork(context, mayMakeTown)
  const last = words.at(-1)
  const named = words.length > 1 && last !== undefined && isRigWord(town, last) ? last : undefined
  const work = named === undefined ? [...words] : words.slice(0, -1)
  const sentence = work.length === 1 && /\s/.test(work[0] ?? '') ? work[0] : undefined
  const namedRig = named === undefined ? undefined : getRig(town, named)
  if (sentence === undefined) {
    // Before a rig is made of the clone: a mistyped bead must leave nothing behind.
    const beads = work.flatMap((word) => expand(context, town, word))
    return { town, beads, rig: namedRig ?? (await rigForWork(context, town, work, dryRun)) }
  }
  const rig = namedRig ?? (await rigForWork(context, town, [], dryRun))
  if (dryRun)
    throw new UsageError('--dry-run needs beads that exist; a sentence would make one', {
      code: 'dry-run-sentence',
      hint: 'gt bead create "…" first',
    })
  // What can be refused is refused before there is a bead.
  await checkSling(town, { ...wishes, rig })
  const bead = createBead(town, {
    title: sentence.length > 500 ? `${sentence.slice(0, 200)}…` : sentence,
    description: sentence,
    rig: rig.name,
  })
  context.note(`made bead ${bead.shownId}`)
  return { town, beads: [bead.id], rig }
}

/** A word that is not a bead stands where the rig stands: it is taken as one, so that a typing mistake is named as such. */
function isRigWord(town: Town, word: string): boolean {
  if (Object.hasOwn(town.config.rigs, word)) return true
  const view = town.ledger.read()
  return (
    view.resolve('bead', word).kind === 'none' &&
    view.resolve('convoy', word).kind === 'none' &&
    /^[a-z0-9-]+$/.test(word)
  )
}

/** A convoy stands for its beads that are open and wait for nothing. */
function expand(context: CliContext, town: Town, word: string): string[] {
  const view = town.ledger.read()
  if (view.resolve('bead', word).kind === 'found' || view.resolve('convoy', word).kind !== 'found')
    return [getBead(view, word).id]
  const convoy = getConvoy(view, word)
  const open = convoy.beads.flatMap((key) => {
    const entity = view.get(key)
    const bead = entity === undefined ? undefined : beadFrom(entity)
    return bead?.status === 'open' ? [bead] : []
  })
  const ready = open.filter((bead) => openBlockers(view, bead).length === 0)
  const waiting = open.length - ready.length
  if (waiting > 0)
    context.note(`${waiting} beads of ${convoy.shownId} still wait for others; sling the convoy again later`)
  if (ready.length === 0)
    throw new NotFoundError(`${convoy.shownId} has no bead that could be slung now`, {
      code: 'nothing-ready',
      hint: `gt convoy show ${convoy.shownId}`,
    })
  return ready.map((bead) => bead.id)
}

async function rigForWork(
  context: CliContext,
  town: Town,
  beads: readonly string[],
  dryRun: boolean,
): Promise<Rig> {
  const view = town.ledger.read()
  for (const word of beads) {
    const found = view.resolve('bead', word)
    const rig = found.kind === 'found' ? beadFrom(found.entity).rig : undefined
    if (rig !== undefined && Object.hasOwn(town.config.rigs, rig)) return getRig(town, rig)
  }
  const here = await (await town.repositories()).findClone(context.io.cwd)
  const rigs = Object.values(town.config.rigs)
  const known =
    here &&
    rigs.find((rig) =>
      rig.source.kind === 'path' ? rig.source.path === here.top : rig.source.url === here.originUrl,
    )
  if (known) return known
  if (rigs.length === 1 && rigs[0] && !here) return rigs[0]
  if (here && !dryRun && !here.top.startsWith(`${town.root}/`)) {
    const name = rigNameFor(here.top, town)
    const rig = await addRig(town, { name, from: here.top, gates: [], cwd: context.io.cwd })
    context.note(
      `registered ${here.top} as rig ${rig.name} of the town ${town.root}; it lands on ${rig.branch}, without gates so far`,
    )
    return rig
  }
  throw new UsageError('which rig?', {
    code: 'no-rig',
    hint:
      rigs.length === 0
        ? 'add one: gt rig add NAME URL|PATH'
        : `say it last: gt sling ${beads.join(' ') || 'BEAD'} ${rigs.map((rig) => rig.name).join('|')}`,
  })
}

function rigNameFor(top: string, town: Town): string {
  const base =
    (top.split('/').at(-1) ?? '')
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-+|-+$/g, '')
      .slice(0, 28) || 'rig'
  for (let n = 1; ; n++) {
    const name = n === 1 ? base : `${base}-${n}`
    if (!Object.hasOwn(town.config.rigs, name)) return name
  }
}

/** The first useful command needs no set-up: inside a clone, `~/gt` is made on the spot. */
async function townForWork(context: CliContext, mayMake: boolean): Promise<Town> {
  const { io, townOption } = context
  const existing = findTown({
    cwd: io.cwd,
    env: io.env,
    ...(townOption === undefined ? {} : { town: townOption }),
  })
  const home = defaultTown(io.env)
  if (existing === undefined && home !== undefined && mayMake && (await isInsideClone(io.cwd))) {
    const { createTown } = await import('../wire.js')
    await createTown({ dir: home, packageDir: io.packageDir })
    context.note(`made the town ${home}`)
  }
  return context.town()
}

async function isInsideClone(cwd: string): Promise<boolean> {
  for (let dir = cwd; dir !== ''; dir = dir.slice(0, dir.lastIndexOf('/'))) {
    if (await stat(`${dir}/.git`).catch(() => undefined)) return true
  }
  return false
}
