import { defineCommand } from '../../command.js'

export default defineCommand({
  name: 'config check',
  group: 'set-up',
  summary: 'check town.toml; lists every problem with its line',
  examples: ['gt config check'],
  async run(context) {
    const { config, root } = await context.town()
    return {
      data: { file: `${root}/town.toml`, config },
      text: `${root}/town.toml is fine: ${Object.keys(config.rigs).length} rigs, backend ${config.backend}, runtime ${config.runtime}`,
    }
  },
})
