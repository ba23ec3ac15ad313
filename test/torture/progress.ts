import type { Tally } from './phase.js'

const EVERY_MS = 10_000
const TERMINAL_EVERY_MS = 200

/** A line that changes in a terminal; elsewhere a line every ten seconds. */
export function openProgress(name: string, tally: Tally) {
  const isTerminal = process.stdout.isTTY === true
  let last = performance.now()
  const line = (text: string) =>
    `${name.padEnd(16)} ${tally.faults} faults, ${tally.checks} checks, ${tally.lossCount} losses  ${text}`
  return {
    say(text: string): void {
      if (performance.now() - last < (isTerminal ? TERMINAL_EVERY_MS : EVERY_MS)) return
      last = performance.now()
      process.stdout.write(isTerminal ? `\r\x1b[2K${line(text)}` : `${line(text)}\n`)
    },
    end(seconds: number): void {
      process.stdout.write(`${isTerminal ? '\r\x1b[2K' : ''}${line(`${seconds.toFixed(1)} s`)}\n`)
      for (const reason of tally.skipped) process.stdout.write(`${''.padEnd(16)} not tried: ${reason}\n`)
      for (const loss of tally.losses) process.stdout.write(`${''.padEnd(16)} LOST: ${loss}\n`)
    },
  }
}
