// `npm run torture`: tries to make the store lose something. Bundles the scripts beside it and runs them; see main.ts.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { bundleScripts } from '../../scripts/bundle-scripts.mjs'

const here = import.meta.dirname
const workers = ['victim', 'injector', 'interleaver', 'claimer', 'filler']
const scripts = await bundleScripts([
  join(here, 'main.ts'),
  ...workers.map((name) => join(here, 'workers', `${name}.ts`)),
])
process.on('exit', () => scripts.remove())
const { main } = createRequire(import.meta.url)(scripts.path('main'))
// A program of its own, bundled by itself.
const runThreeClones = async (options) => (await import('../../bench/three-clones.mjs')).run(options)
process.exitCode = await main(process.argv.slice(2), (name) => scripts.path(name), runThreeClones)
