export interface PacedTask {
  /** Runs the task now, or as soon as the pause since its last start is over. Any number of requests make one run. */
  request(): void
  /** No run starts any more; no timer is left. */
  stop(): void
}

/** At most one run at a time, and at least `intervalMs` from start to start. */
export function paceTask(task: () => Promise<void>, intervalMs: number): PacedTask {
  let timer: NodeJS.Timeout | undefined
  let isRunning = false
  let isWanted = false
  let isStopped = false

  const start = (): void => {
    isWanted = false
    isRunning = true
    timer = setTimeout(() => {
      timer = undefined
      startIfWanted()
    }, intervalMs)
    void task().finally(() => {
      isRunning = false
      startIfWanted()
    })
  }
  const startIfWanted = (): void => {
    if (isWanted && !isStopped && !isRunning && timer === undefined) start()
  }
  return {
    request: () => {
      isWanted = true
      startIfWanted()
    },
    stop: () => {
      isStopped = true
      clearTimeout(timer)
    },
  }
}
