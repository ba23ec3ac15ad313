import { join } from 'node:path'
import { readTemplates } from '../../src/config/load-config.js'
import { parseConfig } from '../../src/config/parse-config.js'
import { RUNTIME_PRESETS } from '../../src/config/runtime-presets.js'
import type { TownConfig } from '../../src/domain/config.js'
import { ConfigError, type ConfigProblem } from '../../src/domain/errors.js'
import { PACKAGE_DIR } from '../support/run-gt.js'

export function parseText(text: string, files: Record<string, string> = {}): TownConfig {
  return parseConfig(text, '/t/town.toml', {
    presets: RUNTIME_PRESETS,
    templates: readTemplates(join(PACKAGE_DIR, 'templates/roles')),
    readTemplate: (path) => files[path],
  })
}

/** The problems that the text has, as `line: key: message`, and the error that lists them. */
export function refuse(
  text: string,
  files: Record<string, string> = {},
): { lines: string[]; error: ConfigError } {
  try {
    parseText(text, files)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const problems = error.details.problems as ConfigProblem[]
    return { lines: problems.map((p) => `${p.line ?? '?'}: ${p.key}: ${p.message}`), error }
  }
  throw new Error('it was accepted')
}
