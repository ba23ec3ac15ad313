import type { PoolView } from '../app/pools.js'
import { plain } from './table.js'

export function poolLine(pool: PoolView): string {
  const { id, rig, size, atWork, waiting, status } = pool
  const counts = `${atWork.length} of ${size} at work, ${waiting.length} waiting`
  const problem = pool.problem === undefined ? '' : `  ! ${plain(pool.problem, 160)}`
  return `${id}  ${rig}  ${pool.role} on ${pool.runtime}  ${counts}${status === 'stopped' ? '  stopped' : ''}${problem}`
}

export function poolText(pool: PoolView): string[] {
  return [
    poolLine(pool),
    ...pool.atWork.map(({ agent, bead }) => `  ${bead}  ${agent}`),
    ...pool.waiting.map((bead) => `  ${bead}  waits`),
  ]
}
