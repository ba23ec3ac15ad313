import type { Crew } from './crew.js'
import type { TortureOptions } from './options.js'

/** One way of trying to make the store break a promise. */
export interface Phase {
  name: string
  /** What it does, in a few words. */
  title: string
  run(context: PhaseContext): Promise<void>
}

export interface PhaseContext {
  options: TortureOptions
  tally: Tally
  crew: Crew
  /** An empty folder on a real disk, removed afterwards. */
  folder: string
  progress: (text: string) => void
  runThreeClones: RunThreeClones
}

/** bench/three-clones.mjs, which is a program of its own, too. @throws when a promise is broken */
export type RunThreeClones = (options: {
  seconds: number
  onProgress: (line: string) => void
}) => Promise<Record<string, number>>

const SHOWN_LOSSES = 20

/** What a phase tried and what it found. */
export class Tally {
  faults = 0
  checks = 0
  lossCount = 0
  /** The first of them, in words. */
  readonly losses: string[] = []
  /** Named numbers for the report. */
  readonly facts = new Map<string, number>()
  /** What could not be tried on this machine, and why. */
  readonly skipped: string[] = []

  fault(count = 1): void {
    this.faults += count
  }

  /** One promise looked at. */
  expect(isKept: boolean, loss: () => string): void {
    this.checks++
    if (!isKept) this.lose(loss())
  }

  expectEqual(actual: unknown, expected: unknown, what: string): void {
    const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)]
    this.expect(a === b, () => `${what}: ${difference(a ?? '', b ?? '')}`)
  }

  lose(text: string): void {
    this.lossCount++
    if (this.losses.length < SHOWN_LOSSES) this.losses.push(text)
  }

  count(name: string, by = 1): void {
    this.facts.set(name, (this.facts.get(name) ?? 0) + by)
  }

  most(name: string, value: number): void {
    this.facts.set(name, Math.max(this.facts.get(name) ?? 0, value))
  }

  skip(text: string): void {
    if (!this.skipped.includes(text)) this.skipped.push(text)
  }
}

/** Where two texts part, with some of what surrounds it. */
export function difference(a: string, b: string): string {
  let at = 0
  while (at < a.length && a[at] === b[at]) at++
  const near = (text: string) => text.slice(Math.max(0, at - 120), at + 160)
  return `…${near(a)}… is not …${near(b)}…`
}
