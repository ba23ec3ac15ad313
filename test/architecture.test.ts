import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, normalize, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { GT, PACKAGE_DIR, runGt } from './support/run-gt.js'
import { testTown } from './support/test-town.js'

const SRC = join(PACKAGE_DIR, 'src')

interface Import {
  from: string
  /** Below src/, or the name of a package. */
  to: string
  isPackage: boolean
  kind: 'static' | 'lazy' | 'type'
}

const files = filesBelow(SRC).map((file) => relative(SRC, file))
const imports = files.flatMap(readImports)

/**
 * Who may import whom: the picture in the style guide. `lazy` only by import(), so that a command pays for what it uses.
 * Parts are folders of src/, or its files.
 */
const PICTURE: Record<string, { may: string[]; lazy?: string[]; packages?: string[] }> = {
  domain: { may: [], packages: ['zod'] },
  ports: { may: ['domain'] },
  app: { may: ['ports', 'domain'] },
  system: { may: ['ports', 'domain'], packages: ['execa', 'chokidar'] },
  config: { may: ['system', 'domain'], packages: ['zod', 'toml'] },
  store: { may: ['system', 'ports', 'domain'] },
  git: { may: ['system', 'ports', 'domain'], packages: ['simple-git'] },
  orchestrators: { may: ['system', 'ports', 'domain'], packages: ['@opencode-ai/sdk'] },
  'runtime-files': { may: ['system', 'domain'] },
  'scripted-model': { may: [], packages: [] },
  // The composition root: the only importer of backends.
  'wire.ts': {
    may: ['app', 'config', 'store', 'system', 'ports', 'domain'],
    lazy: ['git', 'orchestrators', 'runtime-files', 'store'],
  },
  // Surfaces. Where a town is found, and how the terminal is given away, needs no town: cli asks config and system itself.
  cli: {
    may: ['app', 'domain', 'config', 'system'],
    lazy: ['wire.ts', 'tui', 'demo', 'web'],
    packages: ['commander', 'virtual:command-table', 'virtual:check-table'],
  },
  tui: { may: ['app', 'domain'], packages: ['ink', 'react', 'string-width'] },
  web: { may: ['app', 'domain'] },
  demo: { may: ['app', 'ports', 'domain', 'scripted-model', 'runtime-files', 'wire.ts'] },
  'index.ts': { may: ['app', 'domain', 'wire.ts'] },
  'bin.ts': { may: ['cli', 'app', 'domain', 'store', 'config', 'system'], lazy: ['cli', 'main.ts'] },
  'main.ts': { may: ['cli'] },
  'virtual.d.ts': { may: ['cli'] },
}

/** One line of reason each. */
const PROCESS_EXCEPTIONS: Record<string, string> = {
  'bin.ts': 'the process entry',
  'config/load-config.ts': 'a pid makes the name of a temporary file of a cache',
  'store/blob-store.ts': 'process.getBuiltinModule loads node:crypto only when a blob is met',
  'system/host.ts': 'process.getBuiltinModule loads node:crypto only when a file is attached',
  'store/object-name.ts': 'process.getBuiltinModule loads node:crypto only when it is needed',
  'store/check/check-blobs.ts': 'process.getBuiltinModule, as above',
  'store/check/append-trial.ts': 'its writers are this very Node',
  'store/store-options.ts': 'the default of an option; wire passes what matters',
  'git/create-repositories.ts': 'the default of an option',
  'orchestrators/tmux/socket-path.ts': 'getuid names the folder of the socket, as tmux itself does',
  'orchestrators/tmux/socket-directory.ts': 'getuid: the folder must be ours',
  'orchestrators/tmux/sweep-watchers.ts': 'a watcher names itself, so that what it leaves can be told',
  'orchestrators/opencode/end-server.ts':
    'this process may be a tool of the server that it ends, and carries its mark',
  'orchestrators/opencode/server-pool.ts':
    'who starts a server again names itself, so that a kill in between can be told',
  'orchestrators/opencode/spawn-session.ts':
    'a starter names itself, so that an interrupted start can be told',
  'tui/terminal.ts': 'the terminal must be given back when the process ends in any way',
  'demo/run-demo.ts': 'the tests of the demo project run in the environment of the person',
}

describe('the picture of src', () => {
  it('has a place for every file', () => {
    expect(files.filter((file) => PICTURE[part(file)] === undefined)).toEqual([])
    expect(files.length).toBeGreaterThan(150)
    expect(imports.length).toBeGreaterThan(500)
  })

  it('is kept by every import', () => {
    const wrong = imports
      .filter((one) => !one.isPackage && part(one.from) !== part(one.to))
      .filter(({ from, to, kind }) => {
        const { may = [], lazy = [] } = PICTURE[part(from)] ?? {}
        return !(may.includes(part(to)) || (kind !== 'static' && lazy.includes(part(to))))
      })
    expect(wrong.map(({ from, to, kind }) => `${from} -> ${to} (${kind})`)).toEqual([])
  })

  it('lets only wire import a backend', () => {
    const backends = ['orchestrators', 'store', 'git']
    const importers = imports
      .filter(({ from, to }) => backends.includes(part(to)) && part(from) !== part(to))
      .map(({ from }) => from)
    // The fast path of bin.ts may open the store alone; see PICTURE.
    expect([...new Set(importers)].filter((file) => file !== 'bin.ts')).toEqual(['wire.ts'])
  })

  it('gives each package to the part it belongs to', () => {
    const wrong = imports
      .filter((one) => one.isPackage && !one.to.startsWith('node:'))
      .filter(
        ({ from, to }) =>
          !(PICTURE[part(from)]?.packages ?? []).some((name) => to === name || to.startsWith(`${name}/`)),
      )
    expect(wrong.map(({ from, to }) => `${from} -> ${to}`)).toEqual([])
  })

  it('keeps the domain free of the machine', () => {
    const wrong = imports.filter(({ from, to }) => part(from) === 'domain' && to.startsWith('node:'))
    expect(wrong).toEqual([])
    const impure = files.filter(
      (file) =>
        part(file) === 'domain' &&
        /\bDate\.now\(|Math\.random\(|\bnew Date\(\)|\bprocess\b\./.test(codeOf(file)),
    )
    expect(impure).toEqual([])
  })

  it('has no circle of imports', () => {
    const edges = new Map<string, string[]>()
    for (const { from, to, kind, isPackage } of imports) {
      if (kind === 'static' && !isPackage) edges.set(from, [...(edges.get(from) ?? []), to])
    }
    expect(findCircles(edges)).toEqual([])
    expect(
      findCircles(
        new Map([
          ['a', ['b']],
          ['b', ['c']],
          ['c', ['b']],
        ]),
      ),
    ).toEqual(['b -> c -> b'])
  })

  it('touches the process in few places, each with a reason', () => {
    const users = files.filter(
      (file) =>
        part(file) !== 'system' &&
        !file.endsWith('.d.ts') &&
        /(?<![\w.'/-])process\.[a-zA-Z]|from 'node:process'/.test(codeOf(file)),
    )
    expect(users.filter((file) => PROCESS_EXCEPTIONS[file] === undefined)).toEqual([])
  })

  it('never names a backend in a use case', () => {
    const wrong = files.filter(
      (file) => part(file) === 'app' && /backend\b.{0,5} [!=]== '|'tmux'|simple-git/.test(codeOf(file)),
    )
    expect(wrong).toEqual([])
  })
})

describe('what a process of gt loads', () => {
  /** A text that only the bundled code of this package holds. */
  const SIGNS: Record<string, RegExp> = {
    ink: /ink-root|ink-virtual-text/,
    react: /react\.(transitional\.)?element/,
    'simple-git': /simple-git/,
    zod: /invalid_type/,
    toml: /peg\$|Expected .*newline/,
    commander: /commander\.unknownOption/,
  }
  const dist = join(PACKAGE_DIR, 'dist')

  it('has signs that find each package in the bundle', () => {
    const all = filesBelow(dist).map((file) => readFileSync(file, 'utf8'))
    for (const [name, sign] of Object.entries(SIGNS))
      expect(
        all.some((text) => sign.test(text)),
        name,
      ).toBe(true)
  })

  it('is little for the commands that agents call all day', async () => {
    await using town = await testTown({
      toml: '[runtimes.bare]\ncommand = ["cat"]\ninstruction_file = "none"\n',
    })
    const repository = town.makeRepository('proj', { 'a.txt': 'a\n' })
    await town.ok('rig', 'add', 'proj', repository)
    await town.ok('bead', 'create', '--id', 'b-1', 'a bead')
    await town.ok('sling', 'b-1', '--agent', 'bare')
    const env = { ...town.env, GT_AGENT: 'proj/toast', GT_TOWN: town.root }

    const heavy = ['ink', 'react', 'simple-git', 'zod', 'toml']
    for (const [args, exitCode] of [
      [['--help'], 0],
      [['--version'], 0],
      [['prime'], 0],
      [['hook'], 0],
      [['mail', 'check', '--inject'], 0],
    ] as const) {
      const loaded = await loadedBy(args, { cwd: town.root, env, exitCode })
      expect(
        loaded.filter((name) => heavy.includes(name)),
        args.join(' '),
      ).toEqual([])
    }
    // The look itself works: these do load them.
    expect(await loadedBy(['rig', 'add', 'x', repository], { cwd: town.root, env, exitCode: 5 })).toContain(
      'simple-git',
    )
    expect(await loadedBy(['prime', '--no-such-flag'], { cwd: town.root, env, exitCode: 2 })).toContain(
      'commander',
    )
  })

  /** Packages whose code a run of gt loaded, by what V8 says it loaded. */
  async function loadedBy(
    args: readonly string[],
    options: { cwd: string; env: Record<string, string>; exitCode: number },
  ): Promise<string[]> {
    const coverage = mkdtempSync(join(tmpdir(), 'gt-cov-'))
    try {
      const ran = await runGt(args, { cwd: options.cwd, env: { ...options.env, NODE_V8_COVERAGE: coverage } })
      expect(ran.exitCode, ran.stderr).toBe(options.exitCode)
      const urls = readdirSync(coverage).flatMap((name) => {
        const report = JSON.parse(readFileSync(join(coverage, name), 'utf8')) as { result: { url: string }[] }
        return report.result.map(({ url }) => url)
      })
      const loaded = urls
        .filter((url) => url.startsWith('file://'))
        .map((url) => fileURLToPath(url))
        .filter((file) => file.startsWith(dist))
      expect(loaded.length, `${GT} loaded nothing of dist`).toBeGreaterThan(0)
      const texts = loaded.map((file) => readFileSync(file, 'utf8'))
      return Object.entries(SIGNS)
        .filter(([, sign]) => texts.some((text) => sign.test(text)))
        .map(([name]) => name)
    } finally {
      rmSync(coverage, { recursive: true, force: true })
    }
  }
})

describe('the package', () => {
  const manifest = JSON.parse(readFileSync(join(PACKAGE_DIR, 'package.json'), 'utf8')) as {
    bin: Record<string, string>
    version: string
  }

  it('is called gt and gastown', () => {
    expect(manifest.bin.gastown).toBe(manifest.bin.gt)
    const said = execFileSync(join(PACKAGE_DIR, manifest.bin.gastown ?? ''), ['--version'], {
      encoding: 'utf8',
    })
    expect(said).toBe(`gt ${manifest.version}\n`)
  })
})

/** Folder below src/, or the file itself. */
function part(file: string): string {
  return file.split('/')[0] ?? file
}

function filesBelow(dir: string): string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? filesBelow(join(dir, entry.name)) : [join(dir, entry.name)],
  )
}

/** Without comments, and without the text of template strings, which may hold other programs. */
function codeOf(file: string): string {
  return readFileSync(join(SRC, file), 'utf8')
    .replace(/`(?:[^`\\$]|\\.|\$(?!\{))*`/g, '``')
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/^\s*\/\/.*$/gm, '')
}

function readImports(file: string): Import[] {
  const code = codeOf(file)
  const found: Import[] = []
  for (const match of code.matchAll(/^(?:import|export)\s(?:(type)\s)?(?:([^'";]*?)\sfrom\s)?'([^']+)'/gm)) {
    const [, type, names = '', to = ''] = match
    const inner = /^\{([\s\S]*)\}$/.exec(names.trim())?.[1]
    const onlyTypes = inner?.split(',').every((name) => /^\s*(type\s|$)/.test(name)) ?? false
    found.push(resolveImport(file, to, type !== undefined || onlyTypes ? 'type' : 'static'))
  }
  for (const match of code.matchAll(/\bimport\(\s*'([^']+)'/g))
    found.push(resolveImport(file, match[1] ?? '', 'lazy'))
  return found
}

function resolveImport(file: string, to: string, kind: Import['kind']): Import {
  if (!to.startsWith('.')) return { from: file, to, isPackage: true, kind }
  const path = normalize(join(file, '..', to)).replace(/\.js$/, '')
  const found = files.find((one) => one === `${path}.ts` || one === `${path}.tsx`)
  // Built later, by somebody else, or `import('./main.js')` of an entry.
  return { from: file, to: found ?? `${path}.ts`, isPackage: false, kind }
}

function findCircles(edges: ReadonlyMap<string, readonly string[]>): string[] {
  const done = new Set<string>()
  const circles: string[] = []
  const visit = (file: string, path: readonly string[]): void => {
    const at = path.indexOf(file)
    if (at >= 0) circles.push([...path.slice(at), file].join(' -> '))
    if (at >= 0 || done.has(file)) return
    for (const next of edges.get(file) ?? []) visit(next, [...path, file])
    done.add(file)
  }
  for (const file of edges.keys()) visit(file, [])
  return circles
}
