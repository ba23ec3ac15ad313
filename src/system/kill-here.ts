/**
 * For tests of "killed at any instruction": GT_KILL_AT=<step> ends this process with SIGKILL when that step is reached.
 * @returns what the use cases and adapters call after each of their steps
 */
export function killHere(env: Readonly<Record<string, string | undefined>>): (step: string) => void {
  const wanted = env.GT_KILL_AT
  if (wanted === undefined || wanted === '') return () => {}
  return (step) => {
    if (step === wanted) process.kill(process.pid, 'SIGKILL')
  }
}
