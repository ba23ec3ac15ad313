import { closeSync, copyFileSync, existsSync, fsyncSync, mkdirSync, openSync, renameSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { randomId } from '../../domain/ids.js'
import { syncDirectory } from '../../system/atomic-write.js'
import type { Repository } from './committed-files.js'

/** Where one repair leaves what it takes away. Nothing is ever deleted from there by gt. */
export interface Aside {
  /** Relative to the store, for people. */
  name: string
  /** Moves a file or a folder of the store. @returns its new place, relative to the store */
  move(path: string): string
  /** Copies a file, flushed. */
  copy(path: string): string
}

export function asideDirectory(local: string): string {
  return join(local, 'aside')
}

/** The folder is made when the first thing goes there. */
export function openAside({ paths, settings }: Repository): Aside {
  const time = new Date(settings.now()).toISOString().replaceAll(':', '-')
  const directory = join(asideDirectory(paths.local), `${time}-${randomId(settings.random.bytes(4), 4)}`)
  const place = (path: string) => {
    const wanted = join(directory, relative(paths.root, path))
    mkdirSync(dirname(wanted), { recursive: true, mode: 0o700 })
    let free = wanted
    for (let n = 2; existsSync(free); n++) free = join(dirname(wanted), `${basename(wanted)}.${n}`)
    return free
  }
  const told = (path: string) => {
    syncDirectory(dirname(path))
    return relative(paths.root, path)
  }
  return {
    name: relative(paths.root, directory),
    move(path) {
      const to = place(path)
      renameSync(path, to)
      return told(to)
    },
    copy(path) {
      const to = place(path)
      copyFileSync(path, to)
      const fd = openSync(to, 'r')
      fsyncSync(fd)
      closeSync(fd)
      return told(to)
    },
  }
}
