import { closeSync, openSync } from 'node:fs'
import type { Random } from '../ports/clock.js'
import { readRange } from './segment-bytes.js'

export interface StoreOptions {
  clock?: { now(): number }
  random?: Random
  /** A segment longer than this is sealed. Default 256 KiB. */
  segmentLimitBytes?: number
  /** A base longer than this is cut into several files. Default 16 MiB. */
  baseLimitBytes?: number
  /** Beads closed and untouched for this long are archived. Default 90 days. */
  archiveAfterMs?: number
  /** So many entities at rest make a lower layer of the snapshot. Default 512. */
  minResting?: number
  /** `os`: leave flushing to the kernel; a power cut may then lose what was acknowledged. Default `full`. */
  sync?: 'full' | 'os'
  /** Called before and after every step of writing; a test may kill its process there. */
  onStep?: (step: string) => void
  /** Where PATH for git comes from. Default: this process. */
  env?: Readonly<Record<string, string | undefined>>
}

export interface StoreSettings {
  now: () => number
  random: Random
  segmentLimitBytes: number
  baseLimitBytes: number
  archiveAfterMs: number
  minResting: number
  isDurable: boolean
  onStep: (step: string) => void
  env: Readonly<Record<string, string | undefined>>
}

const SEGMENT_LIMIT_BYTES = 256 * 1024
/** About 400 kB: a small snapshot is read and written as one file in no time. */
const MIN_RESTING = 512
export const ARCHIVE_AFTER_MS = 90 * 86_400_000
/** Hosts of git repositories complain about files beyond 50 MB. */
const BASE_LIMIT_BYTES = 16 * 1024 * 1024

export function storeSettings(options: StoreOptions): StoreSettings {
  const { clock = { now: Date.now } } = options
  return {
    now: () => clock.now(),
    random: options.random ?? systemRandom(),
    segmentLimitBytes: options.segmentLimitBytes ?? SEGMENT_LIMIT_BYTES,
    baseLimitBytes: options.baseLimitBytes ?? BASE_LIMIT_BYTES,
    archiveAfterMs: options.archiveAfterMs ?? ARCHIVE_AFTER_MS,
    minResting: options.minResting ?? MIN_RESTING,
    isDurable: (options.sync ?? 'full') === 'full',
    onStep: options.onStep ?? (() => {}),
    env: options.env ?? process.env,
  }
}

/** One stamp takes six. */
const RANDOM_BYTES_AT_ONCE = 120

/** Straight from the kernel, some ahead: loading node:crypto costs a cold process 1.2 to 5 ms. No byte is given twice. */
function systemRandom(): Random {
  let ahead = Buffer.alloc(0)
  return {
    bytes(length) {
      if (ahead.length < length) ahead = kernelRandom(Math.max(length, RANDOM_BYTES_AT_ONCE))
      const bytes = ahead.subarray(0, length)
      ahead = ahead.subarray(length)
      return bytes
    },
  }
}

function kernelRandom(length: number): Buffer<ArrayBuffer> {
  const fd = openSync('/dev/urandom', 'r')
  try {
    return Buffer.from(readRange(fd, 0, length))
  } finally {
    closeSync(fd)
  }
}
