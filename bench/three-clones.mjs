// Three clones of one store with a bare remote between them, each written to by ten processes while they sync, compact and
// race; one is offline half of the time. In the end all three hold the same, every record once, and no conflict marker is
// anywhere. `node bench/three-clones.mjs [seconds]` (default 60); throws when a promise is broken.
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'esbuild'

const CLONES = 3
const SEGMENT_LIMIT_BYTES = 32 * 1024
const SHARED_BEADS = Array.from({ length: 12 }, (_, i) => `bead-${i}`)

/**
 * @param {{ seconds?: number, processes?: number, onProgress?: (line: string) => void }} options
 * @returns {Promise<{ seconds: number, clones: number, processes: number, acknowledged: number, syncs: number, offlineSyncs: number, compactions: number, entities: number, lines: number, settleMs: number }>}
 */
export async function run({ seconds = 60, processes = 10, onProgress = () => {} } = {}) {
  const root = mkdtempSync(join(tmpdir(), 'gt-three-'))
  const children = []
  try {
    const parts = await bundle(root)
    const clones = await prepare(root, parts)
    const counts = { syncs: 0, offlineSyncs: 0, compactions: 0 }
    const writers = clones.flatMap((clone) =>
      Array.from({ length: processes }, (_, i) => startWriter(children, root, clone, i, seconds)),
    )
    await Promise.all(writers.map(({ ready }) => ready))
    for (const child of children) child.stdin.write('go\n')
    const writing = { isOver: false }
    const ended = Promise.all(writers.map((writer) => writer.ended)).finally(() => {
      writing.isOver = true
    })
    await Promise.all([
      ended,
      ...clones.map((clone, i) => keepSyncing(clone, i === CLONES - 1, writing, counts)),
    ])
    onProgress('writers ended; settling')
    const settling = performance.now()
    await settle(clones, counts)
    const settleMs = Math.round(performance.now() - settling)
    return {
      seconds,
      clones: CLONES,
      processes: CLONES * processes,
      ...check(root, clones),
      ...counts,
      settleMs,
    }
  } finally {
    for (const child of children) child.kill('SIGKILL')
    rmSync(root, { recursive: true, force: true })
  }
}

async function bundle(root) {
  const folder = fileURLToPath(new URL('three-clones/', import.meta.url))
  for (const name of ['store-parts', 'writer']) {
    await build({
      entryPoints: [join(folder, `${name}.ts`)],
      outfile: join(root, `${name}.mjs`),
      bundle: true,
      platform: 'node',
      format: 'esm',
      logLevel: 'error',
    })
  }
  return import(pathToFileURL(join(root, 'store-parts.mjs')).href)
}

async function prepare(root, { createStore, openLedger, openUpkeep }) {
  const remote = join(root, 'remote.git')
  await git('init', '--quiet', '--bare', remote)
  mkdirSync(join(root, 'acks'))
  const clones = []
  for (let i = 0; i < CLONES; i++) {
    const dir = join(root, `clone-${i}`, '.beads')
    await createStore(dir, { sync: 'os' })
    // A link of its own: taking it away takes the clone offline, in the middle of whatever git does.
    const url = join(root, `way-${i}`)
    symlinkSync(remote, url)
    const options = { sync: 'os', segmentLimitBytes: SEGMENT_LIMIT_BYTES }
    clones.push({
      name: `c${i}`,
      dir,
      url,
      remote,
      ledger: openLedger(dir, options),
      upkeep: openUpkeep(dir, options),
    })
  }
  const [first, ...others] = clones
  first.ledger.transact('human', () => ({
    ops: SHARED_BEADS.map((id) => ({ o: 'new', id, k: 'bead', f: { status: 'open', title: id } })),
  }))
  for (const clone of [first, ...others]) await sync(clone)
  return clones
}

function git(...args) {
  return new Promise((resolve, reject) => {
    spawn('git', args, { stdio: 'ignore' }).on('close', (code) =>
      code === 0 ? resolve() : reject(new Error(`git ${args.join(' ')}: exit ${code}`)),
    )
  })
}

function startWriter(children, root, clone, number, seconds) {
  const name = `${clone.name}w${number}`
  const acks = join(root, 'acks', name)
  const segmentLimitBytes = SEGMENT_LIMIT_BYTES
  const order = {
    dir: clone.dir,
    name,
    beads: SHARED_BEADS,
    seconds,
    leastRecords: 5,
    segmentLimitBytes,
    acks,
  }
  const child = spawn(process.execPath, [join(root, 'writer.mjs'), JSON.stringify(order)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  child.stdin.on('error', () => {})
  children.push(child)
  return {
    ready: new Promise((resolve) => child.stdout.once('data', resolve)),
    ended: new Promise((resolve, reject) => {
      child.on('close', (code) =>
        code === 0 ? resolve() : reject(new Error(`writer ${name}: exit ${code}`)),
      )
    }),
  }
}

function sync(clone) {
  return clone.upkeep.sync({
    remote: { url: clone.url, refs: 'branches' },
    timeoutMs: 120_000,
    waitMs: 120_000,
  })
}

async function keepSyncing(clone, isOftenOffline, writing, counts) {
  for (let round = 0; !writing.isOver; round++) {
    if (isOftenOffline) setOnline(clone, Math.floor(Date.now() / 1000) % 2 === 0)
    try {
      expectWhole(await sync(clone))
      counts.syncs++
    } catch (error) {
      // Only the network may fail it.
      if (!isOftenOffline || !/^remote-/.test(error.code ?? '')) throw error
      counts.offlineSyncs++
    }
    if (round % 7 === 6) {
      await clone.upkeep.compact()
      counts.compactions++
    }
    await sleep(50)
  }
  setOnline(clone, true)
}

function setOnline({ url, remote }, isOnline) {
  if (isOnline && !existsSync(url)) symlinkSync(remote, url)
  else if (!isOnline) rmSync(url, { force: true })
}

function expectWhole(receipt) {
  if (receipt.refused.length > 0 || receipt.damagedLines > 0 || receipt.renamed !== undefined)
    throw new Error(`a sync was not clean: ${JSON.stringify(receipt)}`)
}

/** Until a whole round moves nothing. */
async function settle(clones, counts) {
  for (let round = 0; round < 10; round++) {
    let moved = 0
    for (const clone of clones) {
      const receipt = await sync(clone)
      expectWhole(receipt)
      counts.syncs++
      moved += receipt.sent.bytes + receipt.received.length
    }
    if (moved === 0) return
  }
  throw new Error('ten rounds of syncs did not come to rest')
}

function check(root, clones) {
  const acknowledged = readdirSync(join(root, 'acks')).flatMap((name) =>
    readFileSync(join(root, 'acks', name), 'utf8')
      .split('\n')
      .filter(Boolean),
  )
  const states = clones.map(({ ledger }) => stateOf(ledger.read()))
  for (const [i, { text, records }] of states.entries()) {
    if (text !== states[0].text)
      throw new Error(`${clones[i].name} holds another state than ${clones[0].name}`)
    const seen = new Set(records)
    if (seen.size !== records.length) throw new Error(`${clones[i].name}: records count twice`)
    const lost = acknowledged.filter((record) => !seen.has(record))
    if (lost.length > 0)
      throw new Error(`${clones[i].name} lost ${lost.length}: ${lost.slice(0, 5).join(', ')}`)
  }
  return { acknowledged: acknowledged.length, entities: states[0].entities, lines: checkFiles(clones) }
}

function stateOf(view) {
  const kinds = ['bead', 'mail', 'agent', 'session']
  const entities = kinds.flatMap((kind) => view.list({ kind }))
  const events = view.events()
  const comments = SHARED_BEADS.map((id) => view.comments(id))
  const { badLines, unknownOps } = view.damage
  if (badLines + unknownOps > 0) throw new Error(`damage: ${JSON.stringify(view.damage)}`)
  return {
    text: JSON.stringify([entities.map(plain), events, comments]),
    entities: entities.length,
    records: events.filter(({ type }) => type === 'bench.record').map(({ data }) => data.record),
  }
}

function plain(entity) {
  return { ...entity, fields: { ...entity.fields } }
}

function checkFiles(clones) {
  let lines = 0
  for (const { dir } of clones) {
    for (const name of readdirSync(join(dir, 'log'))) {
      const text = readFileSync(join(dir, 'log', name), 'utf8')
      if (/^(<{7}|={7}|>{7})/m.test(text)) throw new Error(`a conflict marker in ${name}`)
      lines += text.split('\n').length - 1
    }
  }
  return lines
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const counts = await run({ seconds: Number(process.argv[2] ?? 60), onProgress: console.error })
  console.log(JSON.stringify(counts))
}
