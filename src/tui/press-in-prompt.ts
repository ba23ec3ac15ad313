import { type Edit, editInput, inputText, insertText, type LineInput } from './line-input.js'
import type { Key, Prompt, Step, UiState } from './ui-state.js'

/** Keys while a prompt is open: text, editing, Enter, Esc; y and anything else for a question. */
export function pressInPrompt(state: UiState, prompt: Prompt, key: Key): Step {
  const { prompt: _closed, ...rest } = state
  if (prompt.kind === 'stop') {
    const yes = key.kind === 'text' && (key.text === 'y' || key.text === 'Y')
    return yes ? { state: rest, effect: { kind: 'stop', agent: prompt.agent } } : { state: rest }
  }
  if (key.kind === 'escape')
    return { state: { ...withoutDraft(rest, prompt), filter: prompt.kind === 'filter' ? '' : state.filter } }
  if (key.kind === 'enter') return submitPrompt(withoutDraft(rest, prompt), prompt)
  const input = typeInto(prompt.input, key)
  const filter = prompt.kind === 'filter' ? inputText(input) : state.filter
  return { state: { ...state, filter, prompt: { ...prompt, input } } }
}

type TextPrompt = Exclude<Prompt, { kind: 'stop' }>

function submitPrompt(state: UiState, prompt: TextPrompt): Step {
  const text = inputText(prompt.input).trim()
  if (text === '' || prompt.kind === 'filter') return { state }
  if (prompt.kind === 'new') return { state, effect: { kind: 'sling', words: text } }
  if (prompt.kind === 'answer')
    return { state, effect: { kind: 'answer', ask: prompt.ask, agent: prompt.agent, words: text } }
  return { state, effect: { kind: 'reply', agent: prompt.agent, text } }
}

function withoutDraft(state: UiState, prompt: TextPrompt): UiState {
  const { [draftKey(prompt)]: _used, ...drafts } = state.drafts
  return { ...state, drafts }
}

function draftKey(prompt: TextPrompt): string {
  if (prompt.kind === 'answer') return prompt.ask
  return prompt.kind === 'reply' ? prompt.agent : prompt.kind
}

function typeInto(input: LineInput, key: Key): LineInput {
  if (key.kind === 'text' || key.kind === 'paste') return insertText(input, key.text)
  const edit = key.kind === 'ctrl' ? CTRL_EDITS[key.letter] : KEY_EDITS[key.kind]
  return edit === undefined ? input : editInput(input, edit)
}

const KEY_EDITS: Readonly<Record<string, Edit>> = {
  left: 'left',
  right: 'right',
  home: 'home',
  end: 'end',
  erase: 'erase',
}
/** As in a shell. */
const CTRL_EDITS: Readonly<Record<string, Edit>> = {
  a: 'home',
  e: 'end',
  b: 'left',
  f: 'right',
  d: 'erase-next',
  w: 'erase-word',
  u: 'erase-before',
  k: 'erase-after',
}
