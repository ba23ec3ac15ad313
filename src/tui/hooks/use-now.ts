import { useEffect, useState } from 'react'

/** Ages are shown in minutes, so this often is enough. */
const TICK_MS = 10_000

/** The time, read anew on every render and at least every ten seconds. */
export function useNow(now: () => number, isActive: boolean): number {
  const [, setTick] = useState(0)
  useEffect(() => {
    if (!isActive) return
    const timer = setInterval(() => setTick((tick) => tick + 1), TICK_MS)
    return () => clearInterval(timer)
  }, [isActive])
  return now()
}
