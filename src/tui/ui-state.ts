import type { LineInput } from './line-input.js'

/**
 * What the person sees and types, apart from the town itself.
 *
 *   town ⇄ peek, queue, convoys, problems, help      a prompt may be open over town and peek
 */
export interface UiState {
  screen: Screen
  /** Selected agent; a new view does not move the selection to another one. */
  selected?: string
  filter: string
  prompt?: Prompt
  message?: Message
  /** What was typed and could not be delivered, by prompt: an agent id, or `new`. */
  drafts: Readonly<Record<string, string>>
}

export type Screen =
  | { kind: 'town' }
  /** `up` = lines above the newest; 0 follows. */
  | { kind: 'peek'; agent: string; up: number }
  | { kind: 'queue'; at: number }
  | { kind: 'convoys'; at: number }
  | { kind: 'problems'; top: number }
  | { kind: 'help'; top: number }

export type Prompt =
  | { kind: 'reply'; agent: string; input: LineInput }
  | { kind: 'new'; input: LineInput }
  | { kind: 'answer'; ask: string; agent: string; input: LineInput }
  | { kind: 'filter'; input: LineInput }
  | { kind: 'stop'; agent: string }

export interface Message {
  kind: 'busy' | 'done' | 'error'
  text: string
}

export type Key =
  | { kind: 'text'; text: string }
  | { kind: 'paste'; text: string }
  | { kind: 'ctrl'; letter: string }
  | {
      kind:
        | 'up'
        | 'down'
        | 'left'
        | 'right'
        | 'page-up'
        | 'page-down'
        | 'home'
        | 'end'
        | 'enter'
        | 'escape'
        | 'erase'
    }

/** What keys act on, read from the frame that the person sees. */
export interface Surroundings {
  /** Shown agents, in order. */
  agents: readonly string[]
  /** Entries as listed; what is merged cannot be retried. */
  queue: readonly { id: string; canRetry: boolean }[]
  /** What waits for an answer, oldest first. */
  asks: readonly AskInSight[]
  convoys: number
  hasProblems: boolean
  /** Lines that a page holds, and how far the present screen can be scrolled. */
  page: number
  scrollable: number
}

export interface AskInSight {
  id: string
  agent: string
  kind: 'permission' | 'question'
  /** How many answers are offered. */
  options: number
}

export type Effect =
  | { kind: 'quit' }
  | { kind: 'repaint' }
  | { kind: 'attach'; agent: string }
  | { kind: 'reply'; agent: string; text: string }
  | { kind: 'stop'; agent: string }
  | { kind: 'sling'; words: string }
  | { kind: 'retry'; entry: string }
  /** `words` as after `gt answer ID`. */
  | { kind: 'answer'; ask: string; agent: string; words: string }

export interface Step {
  state: UiState
  effect?: Effect
}

export const START: UiState = { screen: { kind: 'town' }, filter: '', drafts: {} }

/** The town changed: a selection that is gone moves to its neighbour, never away from an agent that is still there. */
export function followAgents(state: UiState, before: readonly string[], now: readonly string[]): UiState {
  if (state.selected === undefined || now.includes(state.selected)) return state
  const index = before.indexOf(state.selected)
  const next = now[Math.max(0, Math.min(index, now.length - 1))]
  if (next !== undefined) return { ...state, selected: next }
  const { selected: _gone, ...rest } = state
  return rest
}
