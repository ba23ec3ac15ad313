import { useEffect } from 'react'
import type { DashboardSource } from '../dashboard-source.js'
import type { Terminal } from '../terminal.js'

interface AttachTools {
  source: DashboardSource
  terminal: Terminal
  stdin: NodeJS.ReadStream
  onBack: (error?: unknown) => void
}

/**
 * Gives the terminal to the agent's session while `agent` is set. Must be called after the hook that reads keys: its
 * clean-up (raw mode off, listener gone) then runs before this effect.
 */
export function useAttach(agent: string | undefined, { source, terminal, stdin, onBack }: AttachTools): void {
  useEffect(() => {
    if (agent === undefined) return
    terminal.suspend()
    void attach(source, agent, stdin)
      .then(
        () => undefined,
        (error: unknown) => error,
      )
      .then((error) => {
        terminal.resume()
        onBack(error)
      })
  }, [agent, source, terminal, stdin, onBack])
}

async function attach(source: DashboardSource, agent: string, stdin: NodeJS.ReadStream): Promise<void> {
  await stopReading(stdin)
  await source.attach(agent)
}

/**
 * Without its listener the stream still has one read waiting in the kernel, which would swallow the first keys meant for
 * the other program. Only a flowing stream really stops when it is paused (Node 20), so it flows for a moment.
 */
async function stopReading(stdin: NodeJS.ReadStream): Promise<void> {
  await nextTurn()
  stdin.resume()
  stdin.pause()
  await nextTurn()
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
