/** What the runner needs of the store, bundled for a Node that does not read TypeScript. */
export { createStore } from '../../src/store/create-store.js'
export { openLedger } from '../../src/store/open-ledger.js'
export { openUpkeep } from '../../src/store/open-upkeep.js'
