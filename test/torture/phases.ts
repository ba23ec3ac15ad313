import type { Phase } from './phase.js'
import { accidents } from './phases/accidents.js'
import { claims } from './phases/claims.js'
import { clones } from './phases/clones.js'
import { disk } from './phases/disk.js'
import { exchange } from './phases/exchange.js'
import { interleavings } from './phases/interleavings.js'
import { care, kills } from './phases/kills.js'
import { powerCut } from './phases/power-cut.js'
import { threeClones } from './phases/three-clones.js'

/** In the order they run. */
export const PHASES: readonly Phase[] = [
  kills,
  care,
  interleavings,
  clones,
  claims,
  disk,
  accidents,
  exchange,
  threeClones,
  powerCut,
]
