import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Finding } from '../../domain/finding.js'
import { randomId } from '../../domain/ids.js'
import { writeError } from '../store-errors.js'
import type { Repository } from './committed-files.js'

const WRITERS = 8
const FOR_MS = 1000
/** Of each writer: the trial must not be what fills the disk. */
const MOST_BYTES = 8 * 1024 * 1024

/** Appends lines of many lengths, each with its own writer, number and check digit, until its time is up. */
const WRITER = `
const fs = require('node:fs')
const [path, name, forMs, mostBytes] = process.argv.slice(1)
const fd = fs.openSync(path, 'a')
let written = 0
process.stdin.once('data', () => {
  let bytes = 0
  for (const end = Date.now() + Number(forMs); Date.now() < end && bytes < Number(mostBytes); written++) {
    const text = name.repeat(1 + (written * 37) % 900)
    const line = name + ' ' + written + ' ' + text.length + ' ' + text + '\\n'
    bytes += line.length
    if (fs.writeSync(fd, line) !== line.length) process.exit(3)
  }
  fs.fdatasyncSync(fd)
  process.stdout.write(String(written), () => process.exit(0))
})
process.stdout.write('ready ')
`

/** What everything rests on: that appends of several processes to one file neither overwrite nor split each other. */
export async function checkAppends(at: Repository): Promise<Finding[]> {
  const folder = join(at.paths.local, `append-trial-${randomId(at.settings.random.bytes(8), 8)}`)
  try {
    mkdirSync(folder, { mode: 0o700 })
  } catch (error) {
    throw writeError(at.paths.root, error)
  }
  try {
    const path = join(folder, 'lines')
    const counts = await runWriters(path)
    return [judge(counts, readFileSync(path, 'latin1'))]
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** All start together. @returns lines written by each; undefined for one that failed */
async function runWriters(path: string): Promise<(number | undefined)[]> {
  const writers = Array.from({ length: WRITERS }, (_, i) => startWriter(path, String.fromCharCode(97 + i)))
  await Promise.all(writers.map(({ ready }) => ready))
  for (const { go } of writers) go()
  return Promise.all(writers.map(({ written }) => written))
}

function startWriter(path: string, name: string) {
  const child = spawn(process.execPath, ['-e', WRITER, path, name, String(FOR_MS), String(MOST_BYTES)], {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: {},
  })
  let said = ''
  const ended = new Promise<number | undefined>((resolve) => {
    child.on('error', () => resolve(undefined))
    child.on('close', (code) => resolve(code === 0 ? Number(said.slice('ready '.length)) : undefined))
  })
  const ready = new Promise<void>((resolve) => {
    child.stdout.on('data', (data: Buffer) => {
      said += data.toString()
      if (said.startsWith('ready ')) resolve()
    })
    void ended.then(() => resolve())
  })
  child.stdin.on('error', () => {})
  return { ready, go: () => void child.stdin.end('go'), written: ended }
}

function judge(counts: readonly (number | undefined)[], text: string): Finding {
  const where = 'O_APPEND'
  if (counts.includes(undefined)) {
    return { id: 'appends', severity: 'error', what: 'a writer of the trial of appends failed', where }
  }
  const written = counts.reduce<number>((sum, count) => sum + (count ?? 0), 0)
  const next = new Map<string, number>()
  let whole = 0
  for (const line of text.split('\n')) {
    const [name = '', number, length, content = ''] = line.split(' ')
    const isWhole = content.length === Number(length) && content === name.repeat(content.length)
    if (isWhole && name !== '' && Number(number) === (next.get(name) ?? 0)) {
      whole++
      next.set(name, Number(number) + 1)
    }
  }
  if (whole === written) {
    return {
      id: 'appends',
      severity: 'ok',
      what: `appends: ${written} lines of ${WRITERS} processes at once, every one whole`,
    }
  }
  return {
    id: 'appends',
    severity: 'error',
    what: `${written - whole} of ${written} lines that ${WRITERS} processes appended at once were lost or torn: this disk cannot hold a store`,
    where,
    hint: 'put the town on a local disk',
  }
}
