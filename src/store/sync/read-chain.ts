import { type ChainTree, readChainTree, readObjects } from './chain-tree.js'
import type { SyncRun } from './sync-context.js'

export type ChainReading =
  | {
      kind: 'chain'
      tip: string
      /** By name in log/. */
      log: Map<string, Buffer>
      tree: ChainTree
    }
  | { kind: 'refused'; code: string; why: string }

/** A chain as commit `tip` holds it, whole. */
export async function readChain(run: SyncRun, clone: string, tip: string): Promise<ChainReading> {
  const reading = await readChainTree(run.call, clone, tip)
  if (reading.kind === 'refused') return reading
  const { tree } = reading
  const names = [...tree.log.keys()]
  const contents = await readObjects(
    run.call,
    [...tree.log.values()].map(({ oid }) => oid),
  )
  const log = new Map(names.map((name, i) => [name, contents[i] ?? Buffer.alloc(0)]))
  return { kind: 'chain', tip, log, tree }
}
