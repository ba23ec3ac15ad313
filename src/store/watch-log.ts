import { type FSWatcher, readdirSync, statSync, watch } from 'node:fs'
import { join } from 'node:path'

/** Catches what the kernel's notification may miss (queue overflow, other mounts). */
const SAFETY_MS = 1000
/** Where no notification can be had at all: the limit of inotify instances, or no such system. */
const POLL_MS = 250

/**
 * Calls back once after each batch of appends to files in `directory`, by any process.
 * @returns a function that stops it. The watch keeps a process alive, its timer does not.
 */
export function watchLog(directory: string, onChange: () => void): () => void {
  let known = fingerprint(directory)
  let watcher: FSWatcher | undefined
  let isScheduled = false
  let isStopped = false
  const look = () => {
    isScheduled = false
    if (isStopped) return
    const present = fingerprint(directory)
    if (present === known) return
    known = present
    onChange()
  }
  const schedule = () => {
    if (isScheduled) return
    isScheduled = true
    setImmediate(look)
  }
  try {
    watcher = watch(directory, schedule)
    watcher.on('error', schedule)
  } catch {
    // Polling below is the fallback.
  }
  const timer = setInterval(look, watcher === undefined ? POLL_MS : SAFETY_MS)
  timer.unref()
  return () => {
    isStopped = true
    clearInterval(timer)
    watcher?.close()
  }
}

/** Names and sizes: a log only grows, so nothing else can change without them. */
function fingerprint(directory: string): string {
  try {
    const sizeOf = (name: string) => statSync(join(directory, name), { throwIfNoEntry: false })?.size
    return readdirSync(directory)
      .sort()
      .map((name) => `${name}:${sizeOf(name)}`)
      .join('\n')
  } catch {
    // Not there just now. Whoever reads next will say so; a timer has nobody to tell.
    return ''
  }
}
