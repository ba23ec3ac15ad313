export interface ScriptedOpencodeConfigOptions {
  /** `url` of the scripted model. */
  url: string
  /** Size of the context window in tokens; opencode compacts by itself when usage comes near it. */
  contextTokens?: number
  /** opencode's permission rules. Default: everything but questions, which nobody would answer. */
  permission?: Readonly<Record<string, unknown>>
}

export const SCRIPTED_PROVIDER = 'scripted'
/** As `-m` wants it. */
export const SCRIPTED_MODEL = `${SCRIPTED_PROVIDER}/m1`

/**
 * opencode's configuration for a scripted model, as an object for `OPENCODE_CONFIG_CONTENT` or a file. The provider
 * package is bundled with opencode, so nothing is downloaded. Its name is what a person reads under the prompt.
 */
export function scriptedOpencodeConfig(options: ScriptedOpencodeConfigOptions): Record<string, unknown> {
  return {
    $schema: 'https://opencode.ai/config.json',
    model: SCRIPTED_MODEL,
    small_model: SCRIPTED_MODEL,
    // Without these two the default is a hosted model, which retries for ever when there is no network.
    enabled_providers: [SCRIPTED_PROVIDER],
    autoupdate: false,
    share: 'disabled',
    // Snapshots run about ten git processes per step.
    snapshot: false,
    lsp: false,
    formatter: false,
    agent: { title: { disable: true } },
    provider: {
      [SCRIPTED_PROVIDER]: {
        npm: '@ai-sdk/openai-compatible',
        name: 'gt scripted model (no AI)',
        options: { baseURL: options.url, apiKey: 'local', headerTimeout: 60_000, chunkTimeout: 60_000 },
        models: {
          m1: {
            name: 'scripted',
            tool_call: true,
            reasoning: true,
            temperature: true,
            limit: { context: options.contextTokens ?? 128_000, output: 8_192 },
            cost: { input: 3, output: 15, cache_read: 0.3, cache_write: 3.75 },
          },
        },
      },
    },
    permission: options.permission ?? { '*': 'allow', question: 'deny' },
  }
}
