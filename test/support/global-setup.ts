import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** The tests run the built gt: `npm test` builds it first. */
export default function setup(): void {
  if (existsSync(join(import.meta.dirname, '../../dist/bin.cjs'))) return
  throw new Error('dist/ is missing: run npm test, or npm run build first')
}
