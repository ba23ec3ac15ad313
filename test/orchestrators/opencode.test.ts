import { orchestratorContract } from './contract.js'
import { makeOpencodeHarness } from './opencode-harness.js'

orchestratorContract('opencode', makeOpencodeHarness)
