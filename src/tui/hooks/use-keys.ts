import { type Key as InkKey, useInput } from 'ink'
import { useRef } from 'react'
import { graphemes } from '../cells.js'
import type { Key } from '../ui-state.js'

/** Reports keys one by one, even when several arrive at once; a paste is one key. */
export function useKeys(onKey: (key: Key) => void, isActive: boolean): void {
  const isPasting = useRef(false)
  useInput(
    (input, ink) => {
      // Bracketed paste (xterm): the terminal marks both ends, so that a pasted line break does not send.
      if (input === '[200~' || input === '[201~') {
        isPasting.current = input === '[200~'
        return
      }
      if (isPasting.current) onKey({ kind: 'paste', text: ink.return ? ' ' : input })
      else for (const key of keysOf(input, ink)) onKey(key)
    },
    { isActive },
  )
}

export function keysOf(input: string, ink: InkKey): Key[] {
  const special = SPECIAL.find(([flag]) => ink[flag])?.[1]
  if (special !== undefined) return [{ kind: special } as Key]
  if (ink.ctrl) return input.length === 1 ? [{ kind: 'ctrl', letter: input }] : []
  if (ink.meta || ink.tab) return []
  return graphemes(input).flatMap((text): Key[] => {
    if (text === '\r' || text === '\n' || text === '\r\n') return [{ kind: 'enter' }]
    if (text === '\u007f' || text === '\b') return [{ kind: 'erase' }]
    return text < ' ' ? controlKey(text) : [{ kind: 'text', text }]
  })
}

/** Ctrl keys that arrived in one piece with letters. */
function controlKey(text: string): Key[] {
  return text === '\t' ? [] : [{ kind: 'ctrl', letter: String.fromCharCode(text.charCodeAt(0) + 96) }]
}

type PlainKind = Exclude<Key, { text: string } | { letter: string }>['kind']

/** Ink calls the Backspace key of most terminals (DEL) `delete`. */
const SPECIAL: readonly (readonly [keyof InkKey, PlainKind])[] = [
  ['upArrow', 'up'],
  ['downArrow', 'down'],
  ['leftArrow', 'left'],
  ['rightArrow', 'right'],
  ['pageUp', 'page-up'],
  ['pageDown', 'page-down'],
  ['home', 'home'],
  ['end', 'end'],
  ['return', 'enter'],
  ['escape', 'escape'],
  ['backspace', 'erase'],
  ['delete', 'erase'],
]
