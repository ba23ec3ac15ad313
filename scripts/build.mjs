// Bundles src/bin.ts into dist/: one entry and lazily loaded parts. Writes the table of commands from the files in
// src/cli/commands, so that adding a command is adding a file.
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'

const root = resolve(import.meta.dirname, '..')
const commandsDir = join(root, 'src/cli/commands')
const outdir = join(root, 'dist')
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

const banner =
  "import{createRequire as __gtRequire}from'node:module';const require=__gtRequire(import.meta.url);"
const common = {
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  absWorkingDir: root,
  define: {
    'process.env.NODE_ENV': '"production"',
    __GT_VERSION__: JSON.stringify(manifest.version),
    __GT_BUILD_ID__: JSON.stringify(buildId),
  },
  alias: { 'react-devtools-core': join(root, 'scripts/empty-module.mjs') },
  banner: { js: banner },
  logLevel: 'warning',
}

/** Names and summaries, read from the command files themselves. */
async function readCommands() {
  const files = filesBelow(commandsDir).filter((file) => file.endsWith('.ts'))
  const temporary = mkdtempSync(join(root, 'node_modules/.gt-build-'))
  try {
    const table = []
    const virtual = { name: 'no-table', setup: (b) => stubTable(b) }
    await build({
      ...common,
      entryPoints: files,
      outdir: temporary,
      outbase: commandsDir,
      splitting: true,
      plugins: [virtual],
      outExtension: { '.js': '.mjs' },
    })
    for (const file of files) {
      const built = join(temporary, relative(commandsDir, file)).replace(/\.ts$/, '.mjs')
      const { default: command } = await import(pathToFileURL(built).href)
      table.push({ file, command })
    }
    return table
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
}

function stubTable(b) {
  b.onResolve({ filter: /^virtual:command-table$/ }, () => ({ path: 'table', namespace: 'table' }))
  b.onLoad({ filter: /.*/, namespace: 'table' }, () => ({ contents: 'export const commandTable = []' }))
}

const commands = await readCommands()
const order = ['init', 'rig add', 'sling', 'prime', 'mail send', 'agents', 'status']
const rank = (name) => (order.includes(name) ? order.indexOf(name) : order.length)
commands.sort(
  (a, b) => rank(a.command.name) - rank(b.command.name) || (a.command.name < b.command.name ? -1 : 1),
)

const tablePlugin = {
  name: 'command-table',
  setup(b) {
    b.onResolve({ filter: /^virtual:command-table$/ }, () => ({ path: 'table', namespace: 'table' }))
    b.onLoad({ filter: /.*/, namespace: 'table' }, () => ({
      resolveDir: root,
      contents: `export const commandTable = [${commands
        .map(({ file, command: c }) => {
          const meta = {
            name: c.name,
            aliases: c.aliases ?? [],
            group: c.group,
            summary: c.summary,
            internal: c.internal === true,
          }
          return `{...${JSON.stringify(meta)}, load: () => import(${JSON.stringify(file)})}`
        })
        .join(',\n')}]`,
    }))
  },
}

rmSync(outdir, { recursive: true, force: true })
await build({
  ...common,
  entryPoints: { bin: 'src/bin.ts', index: 'src/index.ts' },
  outdir,
  splitting: true,
  minify: true,
  keepNames: true,
  legalComments: 'none',
  chunkNames: 'parts/[name]-[hash]',
  plugins: [tablePlugin],
})
