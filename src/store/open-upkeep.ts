import type { Upkeep } from '../ports/upkeep.js'
import { type StoreOptions, storeSettings } from './store-options.js'

/** Care of the store in `dir` (the `.beads` directory itself); each part loads when it is asked for. */
export function openUpkeep(dir: string, options: StoreOptions = {}): Upkeep {
  storeSettings(options)
  return { dir }
}
