// Speed of the built gt, each figure beside its floor (the bare tools doing the same) measured in the same run. Prints;
// asserts nothing: machines differ and are noisy, so read the ratios. `npm run bench`; `npm run bench -- store` for the store
// alone, `-- opencode` for thirty agents on servers.
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, watch, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { cpus, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { bundleScripts } from '../scripts/bundle-scripts.mjs'

const packageDir = resolve(import.meta.dirname, '..')
const gt = join(packageDir, 'bin/gt')
const root = realpathSync(mkdtempSync(join(tmpdir(), 'gt-bench-')))
const home = join(root, 'home')
mkdirSync(home)
// Both sides run in the person's own environment: what slows every Node down there (NODE_EXTRA_CA_CERTS alone costs 40 ms) is
// part of what a command costs them. The column "over" is gt's own share.
const inherited = Object.entries(process.env).filter(([name]) => !/^(GT_|TMUX|GIT_|npm_)/.test(name))
const env = {
  ...Object.fromEntries(inherited),
  HOME: home,
  PATH: `${join(packageDir, 'bin')}:${process.env.PATH}`,
  LANG: 'C.UTF-8',
  GIT_AUTHOR_NAME: 'bench',
  GIT_AUTHOR_EMAIL: 'bench@localhost',
  GIT_COMMITTER_NAME: 'bench',
  GIT_COMMITTER_EMAIL: 'bench@localhost',
  ...(process.env.GT_NODE ? { GT_NODE: process.env.GT_NODE } : {}),
}
const node = process.env.GT_NODE ?? 'node'
const only = process.argv.slice(2)
const isWanted = (part) => only.length === 0 || only.includes(part)

function run(program, args, cwd = root) {
  const ran = spawnSync(program, args, { cwd, env, encoding: 'utf8' })
  if (ran.status !== 0)
    throw new Error(`${program} ${args.join(' ')}: exit ${ran.status}\n${ran.stdout}\n${ran.stderr}`)
  return ran.stdout
}

const timed = (work) => {
  const start = performance.now()
  work()
  return performance.now() - start
}

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]

/** A B A B …; the ratio is taken pair by pair, because the machine's speed drifts. */
function pairs(name, aim, count, measured, floor) {
  measured(-1)
  floor(-1)
  const a = []
  const b = []
  for (let i = 0; i < count; i++) {
    a.push(timed(() => measured(i)))
    b.push(timed(() => floor(i)))
  }
  report(name, aim, a, b)
}

function report(name, aim, a, b) {
  const ratio = median(a.map((value, i) => value / b[i]))
  const over = median(a.map((value, i) => value - b[i]))
  const row = [
    name.padEnd(44),
    `${median(a).toFixed(1)} ms`.padStart(11),
    `${median(b).toFixed(1)} ms`.padStart(11),
    ratio.toFixed(2).padStart(7),
    `${over.toFixed(1)} ms`.padStart(10),
    aim,
  ]
  console.log(row.join('  '))
}

function makeRepository(dir, files) {
  mkdirSync(join(dir, 'src'), { recursive: true })
  for (let i = 0; i < files; i++)
    writeFileSync(join(dir, 'src', `file-${i}.js`), `// file ${i}\n${'const x = 1\n'.repeat(160)}`)
  run('git', ['init', '-q', '-b', 'main'], dir)
  run('git', ['add', '-A'], dir)
  run('git', ['commit', '-q', '-m', 'first'], dir)
}

const town = join(root, 'town')
const project = join(root, 'project')
const bare = join(root, 'bare')
const socket = join(root, 'floor.sock')

try {
  if (isWanted('store')) await benchStore()
  if (isWanted('commands')) await benchCommands()
  if (isWanted('opencode')) await benchOpencode()
} finally {
  endServers()
  rmSync(root, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
}

async function benchStore() {
  const names = ['run-store-bench', 'cold-worker', 'append-worker']
  const scripts = await bundleScripts(names.map((name) => join(import.meta.dirname, 'store', `${name}.ts`)))
  const folder = join(root, 'store')
  mkdirSync(folder)
  try {
    const { runStoreBench } = createRequire(import.meta.url)(scripts.path('run-store-bench'))
    await runStoreBench({ folder, scriptPath: (name) => scripts.path(name) })
  } finally {
    scripts.remove()
  }
}

async function benchOpencode() {
  const scripts = await bundleScripts([join(import.meta.dirname, 'opencode', 'run-opencode-bench.ts')], {
    packages: 'bundle',
  })
  const folder = join(root, 'opencode')
  mkdirSync(folder)
  try {
    const { runOpencodeBench } = createRequire(import.meta.url)(scripts.path('run-opencode-bench'))
    await runOpencodeBench({ folder, gt, env, binDir: join(packageDir, 'node_modules/.bin') })
  } finally {
    scripts.remove()
  }
}

async function benchCommands() {
  console.log(
    `gt ${run(gt, ['--version']).trim()} on Node ${run(node, ['--version']).trim()}, ${cpus().length} cores (${cpus()[0]?.model.trim()})`,
  )
  console.log(
    `${''.padEnd(44)}  ${'gt'.padStart(11)}  ${'floor'.padStart(11)}  ${'ratio'.padStart(7)}  ${'over'.padStart(10)}  aim (floor)`,
  )
  makeRepository(project, 1_000)
  makeRepository(bare, 1_000)
  run(gt, ['init', town])
  run(gt, ['rig', 'add', 'proj', project], town)
  const toml = join(town, 'town.toml')
  writeFileSync(
    toml,
    `${readFileSync(toml, 'utf8').replace(/^backend = .*$/m, 'backend = "tmux"')}\n[limits]\nagents = 100\n\n[runtimes.sleeper]\ncommand = ["sleep", "600"]\n\n[runtimes.listener]\ncommand = ["sleep", "600"]\nhooks = "plugin"\n`,
  )

  pairs(
    'gt --version',
    '',
    21,
    () => run(gt, ['--version']),
    () => run(node, ['-e', '0']),
  )

  // One sling, then thirty in one command, in a repository of 1,000 files.
  const slings = 8
  for (let i = -1; i < slings; i++) run(gt, ['bead', 'create', '--id', `one-${i + 1}`, 'a bead'], town)
  const floorSling = (name) => {
    run('git', ['worktree', 'add', '-q', '-b', `b-${name}`, join(root, `wt-${name}`)], bare)
    run('tmux', [
      '-S',
      socket,
      '-f',
      '/dev/null',
      'new-session',
      '-d',
      '-s',
      name,
      '-c',
      join(root, `wt-${name}`),
      '--',
      'sleep',
      '600',
    ])
    run(node, ['-e', '0'])
  }
  pairs(
    'one sling',
    '<= 2.0 (worktree add + new-session + node -e 0)',
    slings,
    (i) => run(gt, ['sling', `one-${i + 1}`, 'proj', '--agent', 'sleeper'], town),
    (i) => floorSling(`one-${i}`),
  )

  run(gt, ['prime', '--as', 'proj/toast'], town)
  pairs(
    'gt prime',
    '<= 1.4 (node -e 0)',
    21,
    () => run(gt, ['prime', '--as', 'proj/toast'], town),
    () => run(node, ['-e', '0']),
  )

  const thirtyRounds = 2
  const a = []
  const b = []
  for (let round = 0; round < thirtyRounds; round++) {
    const ids = Array.from({ length: 30 }, (_, i) => `many-${round}-${i}`)
    for (const id of ids) run(gt, ['bead', 'create', '--id', id, 'a bead'], town)
    a.push(timed(() => run(gt, ['sling', ...ids, 'proj', '--agent', 'sleeper'], town)))
    b.push(timed(() => floorThirty(round)))
  }
  report('thirty slings in one command', '<= 2.0 (30 x worktree add + new-session, 2 at a time)', a, b)

  function floorThirty(round) {
    const one = (i) =>
      `git -C '${bare}' worktree add -q --no-checkout -b t-${round}-${i} '${root}/t-${round}-${i}' && git -C '${root}/t-${round}-${i}' reset -q --hard && tmux -S '${socket}' -f /dev/null new-session -d -s t-${round}-${i} -c '${root}/t-${round}-${i}' -- sleep 600`
    const half = (odd) => Array.from({ length: 15 }, (_, i) => one(2 * i + odd)).join('; ')
    // A lock around the metadata would be fairer still; two at a time rarely meet.
    run('sh', ['-c', `(${half(0)}) & (${half(1)}); wait; ${node} -e 0`])
  }

  // Seventy idle panes would be part of what follows.
  endServers()

  await mail()

  // Listing 1,000 beads.
  const listTown = join(root, 'list')
  run(gt, ['init', listTown])
  const { openTown, createBead } = await import(join(packageDir, 'dist/index.js'))
  const opened = await openTown({ town: listTown, cwd: root, env, packageDir, pid: process.pid })
  for (let i = 0; i < 1_000; i++)
    createBead(opened, { title: `bead number ${i} with a title of usual length`, priority: i % 5 })
  opened.ledger.compactCache(true)
  pairs(
    'gt bead list, 1,000 beads',
    '<= 1.6 (node -e 0)',
    21,
    () => run(gt, ['bead', 'list'], listTown),
    () => run(node, ['-e', '0']),
  )
}

function endServers() {
  for (const path of [join(town, 'run/tmux/socket'), socket])
    spawnSync('tmux', ['-S', path, 'kill-server'], { env })
}

/**
 * From the acknowledgement of `gt mail send` to the mail on the receiver's standard output. The receiver does what the
 * plugin does: it watches the bell and runs `gt mail check --inject`. Floor: that one Node start.
 */
async function mail() {
  const rounds = 11
  run(gt, ['bead', 'create', '--id', 'listener', 'a bead'], town)
  run(gt, ['sling', 'listener', 'proj', '--agent', 'listener', '--name', 'ear'], town)
  const spawned = JSON.parse(run(gt, ['events', '--type', 'session.spawned', '--json'], town)).events.at(-1)
  const agent = { ...env, GT_AGENT: 'proj/ear', GT_TOWN: town, GT_SESSION: spawned.data.session }
  const started = JSON.stringify({ type: 'session.started', session: 'ses_bench' })
  spawnSync(gt, ['report', '--json', '-'], { env: agent, cwd: town, input: started })
  const bells = join(town, 'run/bells')
  writeFileSync(join(bells, 'proj_ear'), '')
  const a = []
  const b = []
  for (let i = 0; i < rounds; i++) {
    let shown
    const arrived = new Promise((done) => {
      shown = done
    })
    const watcher = watch(bells, (_event, file) => {
      if (file !== 'proj_ear') return
      watcher.close()
      const child = spawn(gt, ['mail', 'check', '--inject'], { env: agent, cwd: town })
      child.stdout.once('data', () => shown(performance.now()))
    })
    await sleep(20)
    const sender = spawn(gt, ['mail', 'send', 'proj/ear', `hello ${i}`, '-m', 'text'], { env, cwd: town })
    const sent = await new Promise((done) => sender.stdout.once('data', () => done(performance.now())))
    a.push((await arrived) - sent)
    b.push(timed(() => run(node, ['-e', '0'])))
    await sleep(100)
  }
  report('a mail, from sent to shown', '<= 50 ms over (one node -e 0)', a, b)
}
