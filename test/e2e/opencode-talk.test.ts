import { talk } from './talk.js'

talk('tmux')
