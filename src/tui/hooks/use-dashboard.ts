import { useCallback, useEffect, useRef, useState } from 'react'
import type { DashboardSource } from '../dashboard-source.js'
import { errorText } from '../format.js'
import { pressKey } from '../press-key.js'
import type { Terminal } from '../terminal.js'
import {
  type Effect,
  followAgents,
  type Key,
  type Message,
  START,
  type Surroundings,
  type UiState,
} from '../ui-state.js'

interface DashboardTools {
  source: DashboardSource
  terminal: Terminal
  quit: () => void
}

export interface DashboardControl {
  state: UiState
  /** The agent that has the terminal now. */
  attached: string | undefined
  press(key: Key): void
  report(error: unknown): void
  /** Tells what keys act on, and which agents there are, shown or not; called with every frame. */
  lookAround(around: Surroundings, everyone: readonly string[]): void
  cameBack(error?: unknown): void
}

/** The person's side of the dashboard: state, and doing what the keys ask for. */
export function useDashboard({ source, terminal, quit }: DashboardTools): DashboardControl {
  const [state, setState] = useState<UiState>(START)
  const [attached, setAttached] = useState<string>()
  // Several keys may arrive before the next frame: each acts on what the one before left.
  const newest = useRef(state)
  const surroundings = useRef<Surroundings>(undefined)
  const present = useRef<readonly string[]>([])
  const isMounted = useRef(true)

  const put = useCallback((next: UiState) => {
    newest.current = next
    if (isMounted.current) setState(next)
  }, [])
  const say = useCallback((message: Message) => put({ ...newest.current, message }), [put])
  const report = useCallback((error: unknown) => say({ kind: 'error', text: errorText(error) }), [say])

  const perform = useCallback(
    (effect: Effect) => {
      if (effect.kind === 'quit') return quit()
      if (effect.kind === 'repaint') return terminal.repaint()
      if (effect.kind === 'attach') return setAttached(effect.agent)
      const [doing, done] = request(source, effect)
      say({ kind: 'busy', text: doing })
      void done().then(
        (receipt) => say({ kind: 'done', text: receipt }),
        (error) => {
          keepDraft(newest.current, effect, put)
          report(error)
        },
      )
    },
    [source, terminal, quit, say, report, put],
  )
  const press = useCallback(
    (key: Key) => {
      const step = pressKey(newest.current, key, surroundings.current)
      put(step.state)
      if (step.effect) perform(step.effect)
    },
    [put, perform],
  )
  const lookAround = useCallback(
    (around: Surroundings, everyone: readonly string[]) => {
      const followed = followAgents(newest.current, present.current, everyone)
      surroundings.current = around
      present.current = everyone
      if (followed !== newest.current) put(followed)
    },
    [put],
  )
  useEffect(() => {
    isMounted.current = true
    return () => {
      isMounted.current = false
    }
  }, [])
  const cameBack = useCallback(
    (error?: unknown) => {
      if (isMounted.current) setAttached(undefined)
      if (error !== undefined) report(error)
    },
    [report],
  )
  return { state, attached, press, report, lookAround, cameBack }
}

type Request = Exclude<Effect, { kind: 'quit' | 'repaint' | 'attach' }>

/** What to say meanwhile, and the call itself. */
function request(source: DashboardSource, effect: Request): readonly [string, () => Promise<string>] {
  switch (effect.kind) {
    case 'reply':
      return [`sending to ${effect.agent}`, async () => source.reply(effect.agent, effect.text)]
    case 'stop':
      return [`stopping ${effect.agent}`, async () => source.stop(effect.agent)]
    case 'sling':
      return [`slinging ${effect.words}`, async () => source.sling(effect.words)]
    case 'answer':
      return [`answering ${effect.agent}`, async () => source.answer(effect.ask, effect.words)]
    case 'retry':
      return [`retrying ${effect.entry}`, async () => source.retryMerge(effect.entry)]
  }
}

/** What could not be delivered is there again when the prompt is opened next. */
function keepDraft(state: UiState, effect: Request, put: (state: UiState) => void): void {
  if (effect.kind === 'reply') put({ ...state, drafts: { ...state.drafts, [effect.agent]: effect.text } })
  if (effect.kind === 'answer' && !/^(allow|always|deny|\d)$/.test(effect.words))
    put({ ...state, drafts: { ...state.drafts, [effect.ask]: effect.words } })
  if (effect.kind === 'sling') put({ ...state, drafts: { ...state.drafts, new: effect.words } })
}
