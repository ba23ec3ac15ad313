import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { SessionBackend } from '../../src/domain/choose-backend.js'
import type { AgentId } from '../../src/domain/ids.js'
import { createHybridOrchestrator } from '../../src/orchestrators/hybrid/hybrid-orchestrator.js'
import type { Orchestrator } from '../../src/ports/orchestrator.js'
import type { OrchestratorHarness } from './contract.js'
import { makeOpencodeHarness, type OpencodeHarness } from './opencode-harness.js'
import { makeTmuxHarness, type TmuxHarness } from './tmux-harness.js'

/** Both backends at once; `inner` is the one that the contract's program runs in. */
export interface HybridHarness extends OrchestratorHarness {
  tmux: TmuxHarness
  opencode: OpencodeHarness
  /** What the store would say. */
  recorded: Map<AgentId, SessionBackend>
  make(changes?: { fallback?: 'fail' | 'tmux' | 'ask'; parts?: Partial<Parts> }): Orchestrator
}

type Parts = Record<SessionBackend, () => Promise<Orchestrator>>

export async function makeHybridHarness(inner: SessionBackend): Promise<HybridHarness> {
  const tmux = await makeTmuxHarness()
  const opencode = await makeOpencodeHarness()
  const recorded = new Map<AgentId, SessionBackend>()
  const make: HybridHarness['make'] = ({ fallback = 'fail', parts = {} } = {}) =>
    createHybridOrchestrator({
      parts: {
        tmux: async () => tmux.another(),
        opencode: async () => opencode.another(),
        ...parts,
      },
      mayHold: {
        tmux: () => existsSync(tmux.socketPath) || existsSync(tmux.options.lockDir),
        opencode: () => ['sessions', 'servers'].some((dir) => existsSync(join(opencode.places.dir, dir))),
      },
      recorded: () => recorded,
      fallback,
      lockDir: join(opencode.root, 'run', 'locks'),
    })
  const orchestrator = make()
  const of: OrchestratorHarness = inner === 'tmux' ? tmux : opencode
  return {
    tmux,
    opencode,
    recorded,
    make,
    orchestrator,
    another: () => make(),
    runtime: of.runtime,
    request: of.request,
    received: of.received,
    startTurn: of.startTurn,
    interrupts: of.interrupts,
    environment: of.environment,
    conversation: of.conversation,
    continues: of.continues,
    proves: of.proves,
    deafen: of.deafen,
    kill: of.kill,
    crash: of.crash,
    leftovers: async () => [...(await tmux.leftovers()), ...(await opencode.leftovers())],
    async [Symbol.asyncDispose]() {
      await tmux[Symbol.asyncDispose]()
      await opencode[Symbol.asyncDispose]()
    },
  }
}
