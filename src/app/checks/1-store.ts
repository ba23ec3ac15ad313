import { defineCheck } from '../check.js'

/** The directory `.beads`: disk, log, state, long texts, history. */
export default defineCheck({
  group: 'store',
  run: async (patient, { deep }) => (await patient.upkeep()).check({ deep }),
})
