import { execFileSync } from 'node:child_process'
import { mkdirSync, statSync, truncateSync, writeFileSync } from 'node:fs'

const mounted = new Set<string>()
process.on('exit', () => {
  for (const path of mounted) unmount(path)
})

export type Mounted = { path: string } | { refused: string }

/** A small file system in memory. */
export function mountTmpfs(path: string, size: string): Mounted {
  mkdirSync(path, { recursive: true })
  return mount(path, '-t', 'tmpfs', '-o', `size=${size}`, 'gt-torture')
}

/** A new ext4 in a file. */
export function makeDisk(image: string, sizeBytes: number): string | undefined {
  writeFileSync(image, '')
  truncateSync(image, sizeBytes)
  return tryRun('mkfs.ext4', '-q', '-F', image)
}

export function mountDisk(image: string, path: string): Mounted {
  mkdirSync(path, { recursive: true })
  return mount(path, '-o', 'loop', image)
}

function mount(path: string, ...args: string[]): Mounted {
  const refused = tryRun('mount', ...args, path)
  if (refused !== undefined) return { refused }
  mounted.add(path)
  return { path }
}

export function remount(path: string, mode: 'ro' | 'rw'): void {
  execFileSync('mount', ['-o', `remount,${mode}`, path], { stdio: 'ignore' })
}

export function unmount(path: string): void {
  if (!mounted.delete(path)) return
  // A process that was just killed may hold it for a moment.
  for (let i = 0; i < 50; i++) {
    if (tryRun('umount', path) === undefined) return
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100)
  }
}

/**
 * Copies a disk image as it is at one instant: the kernel may write to it in the background, so until the file did not
 * change while it was copied.
 */
export function copyDisk(image: string, copy: string): void {
  for (;;) {
    const before = statSync(image, { bigint: true }).mtimeNs
    execFileSync('cp', ['--sparse=always', image, copy])
    if (statSync(image, { bigint: true }).mtimeNs === before) return
  }
}

/** @returns why it failed; undefined when it did not */
function tryRun(program: string, ...args: string[]): string | undefined {
  try {
    execFileSync(program, args, { stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' })
    return undefined
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string }
    return (stderr ?? message).trim().split('\n')[0]
  }
}
