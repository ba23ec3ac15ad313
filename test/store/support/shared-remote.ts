import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Remote, SyncReceipt, SyncRequest, Upkeep } from '../../../src/ports/upkeep.js'
import { openUpkeep } from '../../../src/store/open-upkeep.js'
import type { StoreOptions } from '../../../src/store/store-options.js'
import { type TempStore, tempStore } from './temp-store.js'

export interface SharedRemote extends AsyncDisposable {
  dir: string
  git(...args: string[]): string
  /** A new machine with a store of its own. */
  machine(defaults?: StoreOptions): Promise<Machine>
}

export interface Machine extends TempStore {
  upkeep(options?: StoreOptions): Upkeep
  sync(more?: Partial<SyncRequest> & { options?: StoreOptions }): Promise<SyncReceipt>
  git(...args: string[]): string
}

/** A bare repository that several stores exchange through. */
export async function sharedRemote(refs: Remote['refs'] = 'branches'): Promise<SharedRemote> {
  const folder = mkdtempSync(join(tmpdir(), 'gt-remote-'))
  const dir = join(folder, 'beads.git')
  execFileSync('git', ['init', '--quiet', '--bare', dir])
  const machines: Machine[] = []
  return {
    dir,
    git: (...args) => run(dir, args),
    async machine(defaults) {
      const store = await tempStore(defaults)
      const machine = asMachine(store, { url: dir, refs }, defaults)
      machines.push(machine)
      return machine
    },
    async [Symbol.asyncDispose]() {
      for (const machine of machines) await machine[Symbol.asyncDispose]()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

export function asMachine(store: TempStore, remote: Remote, defaults: StoreOptions = {}): Machine {
  const upkeep = (options: StoreOptions = {}) =>
    openUpkeep(store.dir, { sync: 'os', ...defaults, ...options })
  return {
    ...store,
    upkeep,
    sync: ({ options = {}, ...more } = {}) =>
      upkeep(options).sync({ remote, timeoutMs: 60_000, waitMs: 60_000, ...more }),
    git: (...args) => run(join(store.dir, '.git'), args),
  }
}

function run(repository: string, args: readonly string[]): string {
  return execFileSync('git', ['--git-dir', repository, ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}
