import type { Upkeep } from '../ports/upkeep.js'
import { storePaths } from './layout.js'
import { type StoreOptions, storeSettings } from './store-options.js'
import { syncState } from './sync/sync-state.js'

/** Care of the store in `dir` (the `.beads` directory itself); each part loads when it is asked for. */
export function openUpkeep(dir: string, options: StoreOptions = {}): Upkeep {
  const context = { paths: storePaths(dir), settings: storeSettings(options), options }
  return {
    dir,
    async due() {
      const { workDue } = await import('./compact/due.js')
      return workDue(context)
    },
    async compact({ dryRun = false } = {}) {
      const { compactStore } = await import('./compact/compact-store.js')
      return compactStore(context, dryRun)
    },
    async previewPurge(request) {
      return (await import('./compact/purge.js')).previewPurge(context, request)
    },
    async purge(request) {
      return (await import('./compact/purge.js')).purge(context, request)
    },
    async finishPurges() {
      return (await import('./compact/purge.js')).finishPurges(context)
    },
    async sync(request) {
      const { syncStore } = await import('./sync/sync-store.js')
      return syncStore(context.paths, context.settings, request)
    },
    async lease(request) {
      const { takeLease } = await import('./sync/lease.js')
      return takeLease(context, request)
    },
    async clones() {
      return (await import('./sync/retire.js')).listClones(context)
    },
    async adopt(clone) {
      return (await import('./sync/retire.js')).adoptChain(context, clone)
    },
    async dropChain(request) {
      return (await import('./sync/retire.js')).dropChain(context, request)
    },
    syncState: () => syncState(context.paths, context.settings),
    async packHistory({ squash = false } = {}) {
      const [{ careForHistory }, { ownClone }] = await Promise.all([
        import('./compact/history-care.js'),
        import('./compact/compact-store.js'),
      ])
      return careForHistory(context, ownClone(context), squash)
    },
    async check(what) {
      return (await import('./check/check-store.js')).checkStore(context, what)
    },
    async size() {
      return (await import('./check/store-size.js')).storeSize(context)
    },
    async rebuild() {
      return (await import('./check/rebuild.js')).rebuildStore(context, options)
    },
  }
}
