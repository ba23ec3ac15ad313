// Builds dist/: bin.cjs, the program, with its heavy parts (git, tmux, the TOML parser, the demo) in files of their own that
// load when they are first used; tui.mjs, the dashboard; index.js, the programmatic API.
//
// The program is CommonJS because Node's ESM loader alone costs more than a whole `gt prime`; what every command needs is
// one file for the same reason. The table of commands is written from the files in src/cli/commands: adding a command is
// adding a file.
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import { rolldown } from 'rolldown'

const root = resolve(import.meta.dirname, '..')
const commandsDir = join(root, 'src/cli/commands')
const checksDir = join(root, 'src/app/checks')
// Built beside and swapped in whole: a gt that runs meanwhile never meets half of it.
// Empty would be the package itself, which is replaced as a whole.
const finaldir = join(root, process.env.GT_BUILD_DIR || 'dist')
const outdir = `${finaldir}.${process.pid}`
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

function filesBelow(dir) {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? filesBelow(join(dir, entry.name)) : [join(dir, entry.name)],
  )
}

const sources = filesBelow(join(root, 'src')).filter((file) => /\.tsx?$/.test(file))
const buildId = createHash('sha256')
  .update(sources.map((file) => readFileSync(file)).join('\0'))
  .digest('hex')
  .slice(0, 12)

const define = {
  'process.env.NODE_ENV': '"production"',
  __GT_VERSION__: JSON.stringify(manifest.version),
  __GT_BUILD_ID__: JSON.stringify(buildId),
}
const esm = {
  absWorkingDir: root,
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  define,
  minify: true,
  keepNames: true,
  legalComments: 'none',
  logLevel: 'warning',
  alias: { 'react-devtools-core': join(root, 'scripts/empty-module.mjs') },
  // Packages that are CommonJS inside ask for require.
  banner: {
    js: "import{createRequire as __gtRequire}from'node:module';const require=__gtRequire(import.meta.url);",
  },
}

/** Names and summaries, read from the command files themselves. */
async function readCommands() {
  const files = filesBelow(commandsDir).filter((file) => file.endsWith('.ts'))
  const temporary = mkdtempSync(join(root, 'node_modules/.gt-build-'))
  try {
    await build({
      ...esm,
      entryPoints: files,
      outdir: temporary,
      outbase: commandsDir,
      splitting: true,
      minify: false,
      plugins: [emptyTable],
      outExtension: { '.js': '.mjs' },
    })
    return await Promise.all(
      files.map(async (file) => {
        const built = join(temporary, relative(commandsDir, file)).replace(/\.ts$/, '.mjs')
        return { file, command: (await import(pathToFileURL(built).href)).default }
      }),
    )
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
}

const emptyTable = {
  name: 'empty-command-table',
  setup(b) {
    b.onResolve({ filter: /^virtual:(command|check)-table$/ }, () => ({ path: 'table', namespace: 'table' }))
    b.onLoad({ filter: /.*/, namespace: 'table' }, () => ({
      contents: 'export const commandTable = []; export const checkTable = []',
    }))
  },
}

/** In the overview these come first in their group, the others by name. */
const FIRST = ['demo', 'init', 'rig add', 'sling', 'prime', 'mail send', 'agents', 'status']

function tableSource(commands) {
  const rank = (name) => (FIRST.includes(name) ? FIRST.indexOf(name) : FIRST.length)
  const sorted = [...commands].sort(
    (a, b) => rank(a.command.name) - rank(b.command.name) || (a.command.name < b.command.name ? -1 : 1),
  )
  const rows = sorted.map(({ file, command: c }) => {
    const { name, aliases = [], group, summary, internal = false } = c
    return `{...${JSON.stringify({ name, aliases, group, summary, internal })}, load: () => import(${JSON.stringify(file)})}`
  })
  return `export const commandTable = [${rows.join(',\n')}]`
}

/** A check of `gt doctor` is a file in src/app/checks; they run in order of their names. */
function checkTableSource() {
  const files = filesBelow(checksDir).filter((file) => file.endsWith('.ts'))
  const rows = files.sort().map((file) => `() => import(${JSON.stringify(file)})`)
  return `export const checkTable = [${rows.join(',\n')}]`
}

/** What agents' plugins call all day: what these need, and nothing more, is the one file that loads with the program. */
const HOT = ['prime', 'report', 'hook', 'mail/check', 'bead/list', 'bead/ready'].map(
  (name) => `src/cli/commands/${name}.ts`,
)

/** Follows static imports, and from the hot commands their lazy ones too. */
async function hotFiles() {
  const entries = ['src/cli/run-cli.ts', 'src/wire.ts', ...HOT]
  const { metafile } = await build({
    ...esm,
    entryPoints: entries,
    outdir: 'unused',
    write: false,
    metafile: true,
    packages: 'external',
    plugins: [emptyTable],
  })
  const found = new Set()
  const visit = (file) => {
    if (found.has(file) || !file.startsWith('src/')) return
    found.add(file)
    for (const { path, kind } of metafile.inputs[file]?.imports ?? []) {
      if (kind !== 'dynamic-import' || HOT.includes(file)) visit(path)
    }
  }
  entries.forEach(visit)
  return found
}

/** Heavy parts stay in files of their own; the rest of the program is one more file. */
const APART =
  /\/src\/(git|orchestrators|tui|demo|scripted-model|runtime-files|config|cli\/commands\/demo|cli\/parse-command-line|store\/)/

const hot = await hotFiles()
const isHot = (id) => hot.has(relative(root, id))
const commands = await readCommands()
process.on('exit', () => rmSync(outdir, { recursive: true, force: true }))

const bundle = await rolldown({
  cwd: root,
  input: { bin: 'src/bin.ts' },
  platform: 'node',
  // Lazy imports between parts of the core are meant: they cost nothing there, and keep the sources honest.
  checks: { ineffectiveDynamicImport: false },
  transform: { target: 'node20', define: { ...define, 'import.meta.url': '__filename' } },
  plugins: [
    {
      name: 'command-table',
      resolveId: (id) =>
        /^virtual:(command|check)-table$/.test(id) ? id.replace('virtual:', '\0') : undefined,
      load: (id) => {
        if (id === '\0command-table') return tableSource(commands)
        return id === '\0check-table' ? checkTableSource() : undefined
      },
    },
    {
      name: 'dashboard-apart',
      // Ink is ESM with top-level await: it cannot be in a CommonJS file.
      resolveId: (id) =>
        id.endsWith('/tui/run-dashboard.js') ? { id: 'gt-tui', external: true } : undefined,
    },
  ],
})
await bundle.write({
  dir: outdir,
  format: 'cjs',
  entryFileNames: '[name].cjs',
  chunkFileNames: 'parts/[name]-[hash].cjs',
  exports: 'auto',
  // Names stay: error classes are told apart by them.
  minify: { compress: true, mangle: false, codegen: { removeWhitespace: true } },
  paths: { 'gt-tui': '../tui.mjs' },
  codeSplitting: {
    groups: [
      { name: 'hot', test: (id) => id === '\0command-table' || isHot(id) },
      {
        name: 'rest',
        test: (id) =>
          id.startsWith(join(root, 'src/')) && !isHot(id) && !APART.test(id) && !id.endsWith('/bin.ts'),
      },
    ],
  },
})
await bundle.close()

await build({
  ...esm,
  entryPoints: { tui: 'src/tui/run-dashboard.tsx' },
  outdir,
  outExtension: { '.js': '.mjs' },
})
await build({
  ...esm,
  entryPoints: { index: 'src/index.ts' },
  outdir,
  splitting: true,
  chunkNames: 'api/[name]-[hash]',
  plugins: [emptyTable],
})

// What runs inside opencode is one file, and readable: people look at it there.
await build({
  absWorkingDir: root,
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'es2022',
  logLevel: 'warning',
  entryPoints: { gastown: 'plugin/gastown.js' },
  outdir: join(outdir, 'plugin'),
})

rmSync(`${outdir}.old`, { recursive: true, force: true })
try {
  renameSync(finaldir, `${outdir}.old`)
} catch (error) {
  if (error.code !== 'ENOENT') throw error
}
renameSync(outdir, finaldir)
rmSync(`${outdir}.old`, { recursive: true, force: true })
