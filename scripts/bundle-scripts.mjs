// Node 20 runs no TypeScript: scripts outside the program (torture, measurements) are bundled into a folder of their own.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { build } from 'esbuild'

/**
 * One CommonJS file for each entry, minified as the program is: what a cold process costs depends on both.
 * @param {string[]} entries paths of .ts files
 * @param {{ withoutLazyParts?: boolean, packages?: 'external' | 'bundle' }} options withoutLazyParts: leave out what is loaded by
 *   import(): the program keeps that in files of its own, and a script that never asks for it need not parse it either;
 *   packages: whether packages stay where they are found, or are put into the file
 * @returns {Promise<{ path(name: string): string, remove(): void }>} `path('x')` is where x.ts went
 */
export async function bundleScripts(entries, { withoutLazyParts = false, packages = 'external' } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'gt-scripts-'))
  await build({
    entryPoints: entries,
    outdir: folder,
    entryNames: '[name]',
    outExtension: { '.js': '.cjs' },
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    minify: true,
    keepNames: true,
    logLevel: 'error',
    packages,
    plugins: withoutLazyParts ? [lazyApart] : [],
    // The first line that runs: "cold" is counted from here.
    banner: { js: 'globalThis.firstLine=process.hrtime.bigint();' },
  })
  return {
    path: (name) => join(folder, `${basename(name)}.cjs`),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

const lazyApart = {
  name: 'lazy-apart',
  setup(b) {
    b.onResolve({ filter: /.*/ }, ({ kind, path }) =>
      kind === 'dynamic-import' ? { path, external: true } : undefined,
    )
  },
}
