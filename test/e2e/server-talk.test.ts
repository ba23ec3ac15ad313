import { talk } from './talk.js'

talk('opencode')
