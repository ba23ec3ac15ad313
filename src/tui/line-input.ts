import { cellWidth, graphemes, takeCells } from './cells.js'
import { sanitise, typedText } from './sanitise.js'

/** A one-line text field: what was typed, by user-perceived character, and the cursor before `at`. */
export interface LineInput {
  characters: readonly string[]
  at: number
}

export function lineInput(text = ''): LineInput {
  const characters = graphemes(text)
  return { characters, at: characters.length }
}

export function inputText(input: LineInput): string {
  return input.characters.join('')
}

export function insertText(input: LineInput, text: string): LineInput {
  const before = [...input.characters.slice(0, input.at), typedText(text)].join('')
  const after = input.characters.slice(input.at).join('')
  return { characters: graphemes(before + after), at: graphemes(before).length }
}

export type Edit =
  | 'left'
  | 'right'
  | 'home'
  | 'end'
  | 'erase'
  | 'erase-next'
  | 'erase-word'
  | 'erase-before'
  | 'erase-after'

export function editInput({ characters, at }: LineInput, edit: Edit): LineInput {
  const cut = (from: number, to: number) => ({
    characters: [...characters.slice(0, from), ...characters.slice(to)],
    at: from,
  })
  switch (edit) {
    case 'left':
      return { characters, at: Math.max(0, at - 1) }
    case 'right':
      return { characters, at: Math.min(characters.length, at + 1) }
    case 'home':
      return { characters, at: 0 }
    case 'end':
      return { characters, at: characters.length }
    case 'erase':
      return cut(Math.max(0, at - 1), at)
    case 'erase-next':
      return cut(at, at + 1)
    case 'erase-word':
      return cut(wordStart(characters, at), at)
    case 'erase-before':
      return cut(0, at)
    case 'erase-after':
      return cut(at, characters.length)
  }
}

function wordStart(characters: readonly string[], at: number): number {
  let start = at
  while (start > 0 && characters[start - 1] === ' ') start--
  while (start > 0 && characters[start - 1] !== ' ') start--
  return start
}

/** The part of the field that is in sight, cursor included: text before, under and after it. */
export function inputWindow(
  { characters, at }: LineInput,
  cells: number,
): { before: string; under: string; after: string } {
  const shown = characters.map((character) => sanitise(character))
  const under = shown[at] || ' '
  let before = ''
  let room = cells - cellWidth(under)
  for (let i = at - 1; i >= 0; i--) {
    const character = shown[i] ?? ''
    if (cellWidth(character) > room) break
    before = character + before
    room -= cellWidth(character)
  }
  return { before, under, after: takeCells(shown.slice(at + 1).join(''), room) }
}
