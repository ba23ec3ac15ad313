import type { TownConfig } from '../domain/config.js'
import type { AgentId } from '../domain/ids.js'
import type { Runtime } from '../domain/runtime.js'
import type { Chronicle } from '../ports/chronicle.js'
import type { Clock, Random } from '../ports/clock.js'
import type { Host } from '../ports/host.js'
import type { Ledger } from '../ports/ledger.js'
import type { Orchestrator } from '../ports/orchestrator.js'
import type { Repositories } from '../ports/repositories.js'
import type { Upkeep } from '../ports/upkeep.js'

/** Everything a use case may touch. Made by wire.ts; heavy parts load when they are first asked for. */
export interface Town {
  root: string
  places: TownPlaces
  config: TownConfig
  ledger: Ledger
  host: Host
  clock: Clock
  random: Random
  /** Who acts: an agent (from its session's environment) or the person. */
  actor: AgentId
  /** The caller's environment, for what sessions and gates inherit by allow-list. */
  env: Readonly<Record<string, string | undefined>>
  orchestrator(): Promise<Orchestrator>
  repositories(): Promise<Repositories>
  upkeep(): Promise<Upkeep>
  chronicle(): Promise<Chronicle>
  /**
   * Changes town.toml under a lock, atomically; the changed text is parsed first, so a bad change is refused as a whole.
   * `config` is the new one when it returns.
   */
  editConfig(change: (text: string) => string): Promise<void>
  /** Follows town.toml: reloads it when it changes, then calls back. A broken one is kept out, and said in `configProblem`. */
  watchConfig(onChange: () => void): Promise<() => Promise<void>>
  /** Why the town.toml on disk is not the configuration in use. */
  configProblem?: string
  /** Puts a runtime's own files in place (plugin, config folder) and returns their places for its environment. */
  prepareRuntime(runtime: Runtime): Promise<Record<string, string>>
  /** Name of the step just done; a test may end the process here. */
  step(name: string): void
}

export interface TownPlaces {
  gtProgram: string
  gtFolder: string
  templatesDir: string
  runDir: string
  bellDir: string
  /** `<root>/rigs/<rig>` */
  rigDir(rig: string): string
  worktree(rig: string, agentName: string): string
  mergeWorktree(rig: string): string
  log(name: string): string
}
