import { redGate } from './red-gate.js'

redGate('opencode')
