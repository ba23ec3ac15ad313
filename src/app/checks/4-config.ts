import type { ConfigProblem } from '../../domain/errors.js'
import { defineCheck } from '../check.js'

/** town.toml, and what it says about itself. */
export default defineCheck({
  group: 'config',
  async run({ town, why }) {
    if (town !== undefined) {
      const { rigs, backend, runtime } = town.config
      const what = `town.toml: ${Object.keys(rigs).length} rigs, backend ${backend}, runtime ${runtime}`
      return [{ id: 'config', severity: 'ok', what }]
    }
    if (why === undefined || why.code === 'no-store') return []
    const { problems } = why.details as { problems?: ConfigProblem[] }
    const hint = why.hint ?? 'gt config check'
    if (problems === undefined) return [{ id: 'config', severity: 'error', what: why.message, hint }]
    return problems.map(({ line, key, message }) => ({
      id: 'config',
      severity: 'error',
      what: `${key === '' ? '' : `${key}: `}${message}`,
      where: `town.toml:${line ?? '?'}`,
      hint: 'gt config check',
    }))
  },
})
