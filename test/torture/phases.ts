import type { Phase } from './phase.js'
import { claims } from './phases/claims.js'
import { interleavings } from './phases/interleavings.js'
import { kills } from './phases/kills.js'
import { powerCut } from './phases/power-cut.js'

/** In the order they run. */
export const PHASES: readonly Phase[] = [kills, interleavings, claims, powerCut]
