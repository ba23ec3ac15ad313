import { watch } from 'chokidar'

/** Calls back after `path` was written, replaced or removed, and is at rest. @returns what ends the watching */
export function watchFile(path: string, onChange: () => void): () => Promise<void> {
  const watcher = watch(path, { ignoreInitial: true, awaitWriteFinish: { stabilityThreshold: 100 } })
  watcher.on('all', onChange)
  return () => watcher.close()
}
