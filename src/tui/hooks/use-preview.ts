import { useEffect, useRef, useState } from 'react'
import type { DashboardSource } from '../dashboard-source.js'
import { errorText } from '../format.js'
import { type PacedTask, paceTask } from '../pace-task.js'

/** The screen of an agent as last read. */
export interface Preview {
  agent: string
  lines: readonly string[]
  /** Why there is nothing newer. */
  error?: string
}

export interface PreviewWish {
  agent: string
  lines: number
  /** Another value = look again. */
  trigger: unknown
}

/** A person cannot read faster, and every look may start a process. */
const REFRESH_MS = 500

/** The preview that is wished for; until it came, what was last seen of that agent. */
export function usePreview(source: DashboardSource, wish: PreviewWish | undefined): Preview | undefined {
  const [seen, setSeen] = useState<ReadonlyMap<string, Preview>>(new Map())
  const wanted = useRef(wish)
  const paced = useRef<PacedTask>(undefined)
  wanted.current = wish

  useEffect(() => {
    let isMounted = true
    const keep = (preview: Preview) => {
      if (isMounted)
        setSeen(
          (before) =>
            new Map(
              [...before]
                .filter(([id]) => id !== preview.agent)
                .slice(-KEPT)
                .concat([[preview.agent, preview]]),
            ),
        )
    }
    const task = paceTask(async () => {
      const now = wanted.current
      if (now !== undefined) keep(await look(source, now))
    }, REFRESH_MS)
    paced.current = task
    return () => {
      isMounted = false
      task.stop()
    }
  }, [source])

  const { agent, lines, trigger } = wish ?? {}
  // biome-ignore lint/correctness/useExhaustiveDependencies: a change of any of these is the request
  useEffect(() => {
    if (agent !== undefined) paced.current?.request()
  }, [agent, lines, trigger, source])
  return agent === undefined ? undefined : seen.get(agent)
}

/** Previews kept for coming back to an agent. */
const KEPT = 20

async function look(source: DashboardSource, { agent, lines }: PreviewWish): Promise<Preview> {
  try {
    return { agent, lines: await source.preview(agent, lines) }
  } catch (error) {
    return { agent, lines: [], error: errorText(error) }
  }
}
