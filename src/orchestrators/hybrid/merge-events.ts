import type { SessionBackend } from '../../domain/choose-backend.js'
import type { AgentId } from '../../domain/ids.js'
import type { Orchestrator, OrchestratorEvent } from '../../ports/orchestrator.js'

export interface EventParts {
  parts: Readonly<Record<SessionBackend, () => Promise<Orchestrator>>>
  mayHold: Readonly<Record<SessionBackend, () => boolean>>
}

const NAMES: readonly SessionBackend[] = ['tmux', 'opencode']
/** A backend that has no session is not connected to: it may have none for ever, or not be installed. */
const LOOK_AGAIN_MS = 500

/**
 * Changes of both backends in one stream. One that goes away takes its sessions with it and is looked for again; the stream
 * ends when the last one is gone.
 */
export async function* mergeEvents(
  options: EventParts,
  signal: AbortSignal,
): AsyncGenerator<OrchestratorEvent> {
  const over = new AbortController()
  const queue: OrchestratorEvent[] = []
  let wake: () => void = () => undefined
  const stop = () => {
    over.abort()
    wake()
  }
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()
  let failure: unknown
  let wasThere = false
  const tell = (event: OrchestratorEvent) => {
    queue.push(event)
    wake()
  }
  const watch = async (name: SessionBackend): Promise<void> => {
    const present = new Set<AgentId>()
    while (!over.signal.aborted) {
      if (!options.mayHold[name]()) {
        await pause(over.signal)
        continue
      }
      for await (const event of (await options.parts[name]()).events(over.signal)) {
        wasThere = true
        if (event.kind === 'backend-gone') {
          for (const agent of present) tell({ kind: 'session-gone', agent })
          present.clear()
          const isLast = NAMES.every((each) => each === name || !options.mayHold[each]())
          if (isLast && wasThere) tell(event)
          break
        }
        if (event.kind === 'session-changed') present.add(event.session.agent)
        else present.delete(event.agent)
        tell(event)
      }
      await pause(over.signal)
    }
  }
  const watches = NAMES.map((name) =>
    watch(name).catch((error: unknown) => {
      failure ??= error
      wake()
    }),
  )
  try {
    for (;;) {
      const event = queue.shift()
      if (event !== undefined) {
        yield event
        if (event.kind === 'backend-gone') return
      } else if (over.signal.aborted) {
        return
      } else if (failure !== undefined) {
        throw failure
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    }
  } finally {
    signal.removeEventListener('abort', stop)
    over.abort()
    await Promise.all(watches)
  }
}

async function pause(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise<void>((resolve) => {
    const timer = setTimeout(done, LOOK_AGAIN_MS)
    function done() {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    signal.addEventListener('abort', done, { once: true })
  })
}
