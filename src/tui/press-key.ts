import { lineInput } from './line-input.js'
import { pressInPrompt } from './press-in-prompt.js'
import type { Key, Screen, Step, Surroundings, UiState } from './ui-state.js'

/** @param around - undefined before the first view: then keys only quit, so that typing ahead starts nothing */
export function pressKey(state: UiState, key: Key, around: Surroundings | undefined): Step {
  if (key.kind === 'ctrl' && key.letter === 'c') return { state, effect: { kind: 'quit' } }
  if (key.kind === 'ctrl' && key.letter === 'l') return { state, effect: { kind: 'repaint' } }
  if (around === undefined) return commandOf(key) === 'q' ? { state, effect: { kind: 'quit' } } : { state }
  const { message, ...quiet } = state
  // A busy message stays: its end is still to come.
  const calm: UiState = message?.kind === 'busy' ? state : quiet
  if (calm.prompt) return pressInPrompt(calm, calm.prompt, key)
  const command = commandOf(key)
  switch (calm.screen.kind) {
    case 'town':
      return pressInTown(calm, command, around)
    case 'peek':
      return pressInPeek(calm, calm.screen, command, around)
    case 'queue':
      return pressInQueue(calm, calm.screen, command, around)
    case 'convoys': {
      const at = moveBy(calm.screen.at, command, around.page, around.convoys - 1)
      return at === undefined ? back(calm, command) : { state: { ...calm, screen: { kind: 'convoys', at } } }
    }
    case 'problems':
    case 'help': {
      const top = moveBy(calm.screen.top, command, around.page, around.scrollable)
      return top === undefined
        ? back(calm, command)
        : { state: { ...calm, screen: { kind: calm.screen.kind, top } } }
    }
  }
}

/** Keys and letters with the same meaning get one name. */
function commandOf(key: Key): string {
  if (key.kind === 'text') return LETTERS[key.text] ?? key.text
  if (key.kind === 'ctrl')
    return (
      { d: 'page-down', f: 'page-down', u: 'page-up', b: 'page-up', n: 'down', p: 'up' }[key.letter] ?? ''
    )
  return key.kind === 'paste' ? '' : key.kind
}

const LETTERS: Readonly<Record<string, string>> = { j: 'down', k: 'up', g: 'home', G: 'end', ' ': 'space' }

/** Where a movement leads from `at` within `0..last`; undefined when the command is no movement. */
function moveBy(at: number, command: string, page: number, last: number): number | undefined {
  const step = {
    up: -1,
    down: 1,
    'page-up': -page,
    'page-down': page,
    home: Number.NEGATIVE_INFINITY,
    end: Number.POSITIVE_INFINITY,
  }[command]
  return step === undefined ? undefined : Math.max(0, Math.min(at + step, last))
}

function pressInTown(state: UiState, command: string, around: Surroundings): Step {
  const index = Math.max(0, around.agents.indexOf(state.selected ?? ''))
  const moved = moveBy(index, command, around.page, around.agents.length - 1)
  if (moved !== undefined) return { state: withSelected(state, around.agents[moved]) }
  const agent = around.agents[index]
  switch (command) {
    case 'q':
      return { state, effect: { kind: 'quit' } }
    case 'escape':
      return { state: { ...state, filter: '' } }
    case '/':
      return { state: { ...state, prompt: { kind: 'filter', input: lineInput(state.filter) } } }
    case 'n':
      return { state: { ...state, prompt: { kind: 'new', input: lineInput(state.drafts.new) } } }
    case 'space':
      return agent === undefined
        ? { state }
        : { state: { ...state, selected: agent, screen: { kind: 'peek', agent, up: 0 } } }
    default:
      return (
        openScreen(state, command, around) ??
        actOnAsk(state, command, agent, around) ??
        actOnAgent(state, command, agent)
      )
  }
}

function withSelected(state: UiState, selected: string | undefined): UiState {
  return selected === undefined ? state : { ...state, selected }
}

function openScreen(state: UiState, command: string, around: Surroundings): Step | undefined {
  if (command === 'm') return { state: { ...state, screen: { kind: 'queue', at: 0 } } }
  if (command === 'c') return { state: { ...state, screen: { kind: 'convoys', at: 0 } } }
  if (command === 'p' && around.hasProblems)
    return { state: { ...state, screen: { kind: 'problems', top: 0 } } }
  if (command === '?') return { state: { ...state, screen: { kind: 'help', top: 0 } } }
  return undefined
}

function actOnAgent(state: UiState, command: string, agent: string | undefined): Step {
  if (agent === undefined) return { state }
  const chosen = { ...state, selected: agent }
  if (command === 'enter') return { state: chosen, effect: { kind: 'attach', agent } }
  if (command === 'i')
    return { state: { ...chosen, prompt: { kind: 'reply', agent, input: lineInput(state.drafts[agent]) } } }
  if (command === 'D') return { state: { ...chosen, prompt: { kind: 'stop', agent } } }
  return { state }
}

const ANSWERS: Readonly<Record<string, string>> = { a: 'allow', A: 'always', d: 'deny' }

/** Keys that answer the oldest thing that the agent in sight asks; undefined for keys that have nothing to do with it. */
function actOnAsk(
  state: UiState,
  command: string,
  agent: string | undefined,
  around: Surroundings,
): Step | undefined {
  const ask = around.asks.find((one) => one.agent === agent)
  const isOption = ask?.kind === 'question' && /^[1-9]$/.test(command) && Number(command) <= ask.options
  const words = isOption ? command : ANSWERS[command]
  if (words === undefined && command !== 't') return undefined
  if (ask === undefined || agent === undefined) {
    const text = `${agent ?? 'nobody'} asks nothing${around.asks[0] ? `; ${around.asks[0].agent} does` : ''}`
    return { state: { ...state, message: { kind: 'error', text } } }
  }
  const chosen = { ...state, selected: agent }
  if (words !== undefined) return { state: chosen, effect: { kind: 'answer', ask: ask.id, agent, words } }
  const input = lineInput(state.drafts[ask.id])
  return { state: { ...chosen, prompt: { kind: 'answer', ask: ask.id, agent, input } } }
}

function pressInPeek(
  state: UiState,
  screen: Extract<Screen, { kind: 'peek' }>,
  command: string,
  around: Surroundings,
): Step {
  // Scrolling counts from the newest line, so up and down change places.
  const moved = moveBy(
    around.scrollable - Math.min(screen.up, around.scrollable),
    command,
    around.page,
    around.scrollable,
  )
  if (moved !== undefined)
    return { state: { ...state, screen: { ...screen, up: around.scrollable - moved } } }
  if (command === 'space') return { state: { ...state, screen: { kind: 'town' } } }
  if (command === 'enter' || command === 'i' || command === 'D')
    return actOnAgent(state, command, screen.agent)
  const answered = actOnAsk(state, command, screen.agent, around)
  if (answered) return answered
  return back(state, command)
}

function pressInQueue(
  state: UiState,
  screen: Extract<Screen, { kind: 'queue' }>,
  command: string,
  around: Surroundings,
): Step {
  const at = moveBy(screen.at, command, around.page, around.queue.length - 1)
  if (at !== undefined) return { state: { ...state, screen: { kind: 'queue', at } } }
  if (command !== 'r') return back(state, command)
  const entry = around.queue[Math.min(screen.at, around.queue.length - 1)]
  if (entry?.canRetry) return { state, effect: { kind: 'retry', entry: entry.id } }
  const text = entry === undefined ? 'the merge queue is empty' : 'it is merged already'
  return { state: { ...state, message: { kind: 'error', text } } }
}

/** Escape and q lead back to the town; so does the letter that opened the screen. */
function back(state: UiState, command: string): Step {
  const opener = { town: '', peek: '', queue: 'm', convoys: 'c', problems: 'p', help: '?' }[state.screen.kind]
  if (command === 'escape' || command === 'q' || (command !== '' && command === opener)) {
    return { state: { ...state, screen: { kind: 'town' } } }
  }
  if (command === '?') return { state: { ...state, screen: { kind: 'help', top: 0 } } }
  return { state }
}
