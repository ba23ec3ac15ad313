import { mkdirSync, readdirSync, statSync, watch } from 'node:fs'
import { join } from 'node:path'

/**
 * One inotify watch; looks at everything every two seconds when that cannot be had.
 * @param {(name: string) => void} onChange
 * @returns {() => void} ends it
 */
export function watchFolder(folder, onChange, problem) {
  const times = new Map()
  const timeOf = (name) => statSync(join(folder, name), { throwIfNoEntry: false })?.mtimeMs ?? 0
  const note = (name, isNews) => {
    const time = timeOf(name)
    const before = times.get(name) ?? 0
    times.set(name, time)
    if (isNews && time !== before && time !== 0) onChange(name)
  }
  const lookAtAll = (isNews) => {
    try {
      for (const name of readdirSync(folder)) note(name, isNews)
    } catch (error) {
      if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') problem('watch', error)
    }
  }
  let timer
  let watcher
  const poll = () => {
    watcher?.close()
    timer ??= setInterval(() => lookAtAll(true), 2_000)
    timer.unref?.()
  }
  try {
    mkdirSync(folder, { recursive: true })
    lookAtAll(false)
    watcher = watch(folder, (_kind, name) => (name === null ? lookAtAll(true) : note(name, true)))
    watcher.on('error', poll)
    watcher.unref?.()
  } catch {
    poll()
  }
  return () => {
    watcher?.close()
    clearInterval(timer)
  }
}
