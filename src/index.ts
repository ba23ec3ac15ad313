/**
 * The programmatic API. `openTown` gives what the use cases in src/app work on; the types below are stable.
 *
 * ```ts
 * import { openTown, readTownView } from '@gastown/gt'
 * const town = await openTown({ cwd: process.cwd(), env: process.env, packageDir, pid: process.pid })
 * const view = await readTownView(town)
 * ```
 */
export { createBead } from './app/create-bead.js'
export { finishWork } from './app/finish-work.js'
export { primeAgent } from './app/prime-agent.js'
export { runMergeQueue } from './app/run-merge-queue.js'
export { sendMail } from './app/send-mail.js'
export { slingWork } from './app/sling-work.js'
export type { Town } from './app/town.js'
export { type AgentView, type ConvoyView, readTownView, type TownView } from './app/town-view.js'
export { unslingWork } from './app/unsling-work.js'
export type { Bead } from './domain/bead.js'
export { GtError } from './domain/errors.js'
export type { Mail } from './domain/mail.js'
export type { Merge } from './domain/merge.js'
export { createTown, openTown } from './wire.js'
