import { useEffect, useState } from 'react'
import type { TownView } from '../../app/town-view.js'
import type { DashboardSource } from '../dashboard-source.js'

/** The newest view; undefined until the first one came. */
export function useTownView(
  source: DashboardSource,
  onError: (error: unknown) => void,
): TownView | undefined {
  const [view, setView] = useState<TownView>()
  useEffect(() => {
    try {
      return source.watch(setView)
    } catch (error) {
      onError(error)
      return undefined
    }
  }, [source, onError])
  return view
}
