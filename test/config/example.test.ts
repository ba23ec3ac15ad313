import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'toml'
import { describe, expect, it } from 'vitest'
import type { z } from 'zod'
import { townSchema } from '../../src/config/schema.js'
import { PACKAGE_DIR } from '../support/run-gt.js'
import { parseText } from './support.js'

const text = readFileSync(join(PACKAGE_DIR, 'town.toml.example'), 'utf8')

interface Described {
  type?: string
  properties?: Record<string, Described>
  additionalProperties?: Described | boolean
  items?: Described
  anyOf?: Described[]
  oneOf?: Described[]
}

/** Paths of all keys of the schema; `*` stands for a name that the user chooses. */
async function schemaKeys(): Promise<string[]> {
  const { z } = await import('zod')
  const keys: string[] = []
  const walk = (node: Described, path: string) => {
    for (const option of [...(node.anyOf ?? []), ...(node.oneOf ?? [])]) walk(option, path)
    for (const [key, child] of Object.entries(node.properties ?? {})) {
      const here = path === '' ? key : `${path}.${key}`
      keys.push(here)
      walk(child, here)
    }
    if (typeof node.additionalProperties === 'object') walk(node.additionalProperties, `${path}.*`)
    if (node.items !== undefined) walk(node.items, path)
  }
  walk(z.toJSONSchema(townSchema as z.ZodType, { io: 'input', unrepresentable: 'any' }) as Described, '')
  return [...new Set(keys)]
}

/** A key counts as shown when it is set, or stands in a comment as `# key = value` or inside `{ key = … }`. */
function isShown(path: string): boolean {
  const key = path.split('.').at(-1) ?? ''
  return new RegExp(`(^|[{,#]\\s*)${key}\\s*=|^\\[+${key}[.\\]]|[.]${key}\\]`, 'm').test(text)
}

describe('town.toml.example', () => {
  it('is a whole configuration', () => {
    const config = parseText(text, { 'roles/scribe.md': 'You write.' })
    expect(config.rigs.shop?.source).toEqual({ kind: 'url', url: 'https://example.org/team/shop.git' })
    expect(config.rigs.site?.source).toEqual({ kind: 'path', path: '/home/me/src/site' })
    expect(config.rigs.site?.gates).toHaveLength(2)
    expect(config.roles.scribe).toMatchObject({ runtime: 'aider', ends: 'done' })
    expect(config.runtimes.aider?.command[0]).toBe('aider')
  })

  it('shows every key of the schema', async () => {
    const keys = await schemaKeys()
    expect(keys).toContain('rigs.*.gates.timeout')
    expect(keys.length).toBeGreaterThan(40)
    expect(keys.filter((key) => !isShown(key))).toEqual([])
  })

  it('tells the truth about the defaults of the tables that every town has', () => {
    const defaults = townSchema.parse({})
    const shown = parse(text) as Record<string, Record<string, unknown>>
    expect(townSchema.parse({ store: shown.store }).store).toEqual(defaults.store)
    for (const table of ['town', 'orchestration', 'limits', 'asks'] as const) {
      const { opencode_server_url: _, policies: __, ...values } = shown[table] ?? {}
      // As the schema reads them: a duration is a text in the file.
      expect(townSchema.parse({ [table]: values })[table]).toEqual(defaults[table])
      for (const [key, value] of Object.entries(values)) {
        expect(text).toMatch(new RegExp(`^${key} = .*# default: ${literal(JSON.stringify(value))}(,|$)`, 'm'))
      }
    }
  })
})

function literal(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
