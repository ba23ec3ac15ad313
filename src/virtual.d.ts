/** Made by scripts/build.mjs from src/cli/commands: adding a command is adding a file. */
declare module 'virtual:command-table' {
  import type { Command, Group } from './cli/command.js'
  export const commandTable: readonly {
    name: string
    aliases: readonly string[]
    group: Group
    summary: string
    internal: boolean
    load: () => Promise<{ default: Command }>
  }[]
}

/** Made by scripts/build.mjs from src/app/checks: adding a check to `gt doctor` is adding a file. */
declare module 'virtual:check-table' {
  import type { Check } from './app/check.js'
  export const checkTable: readonly (() => Promise<{ default: Check }>)[]
}

declare const __GT_VERSION__: string
/** Differs between builds. */
declare const __GT_BUILD_ID__: string
