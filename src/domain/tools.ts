import type { TownConfig } from './config.js'

/** A program that gt runs, and which versions of it will do. */
export interface Tool {
  name: string
  argv: readonly string[]
  /** Older ones lack something that gt needs. */
  least: string
  /** What the tests ran with; others are said, not refused. */
  tested?: string
  install: string
}

const GIT: Tool = {
  name: 'git',
  argv: ['git', '--version'],
  least: '2.36',
  install: 'install git 2.36 or newer',
}

const TMUX: Tool = {
  name: 'tmux',
  argv: ['tmux', '-V'],
  least: '3.2',
  install: 'install tmux 3.2 or newer',
}

const OPENCODE: Tool = {
  name: 'opencode',
  argv: ['opencode', '--version'],
  least: '1.18.33',
  tested: '1.18.33',
  install: 'npm install -g opencode-ai@1.18.33',
}

export const LEAST_NODE = '20.19'

/** What a town of this configuration needs; of one that cannot be read, the worst is supposed. */
export function neededTools(config: TownConfig | undefined): Tool[] {
  return [
    GIT,
    ...(config?.backend === 'opencode' ? [] : [TMUX]),
    ...(config === undefined || usesOpencode(config) ? [OPENCODE] : []),
  ]
}

/** Any runtime that somebody could be started on without being named. */
function usesOpencode(config: TownConfig): boolean {
  const names = [
    config.runtime,
    ...Object.values(config.rigs).map(({ runtime }) => runtime),
    ...Object.values(config.roles).map(({ runtime }) => runtime),
  ]
  return names.some((name) => name !== undefined && config.runtimes[name]?.command[0] === 'opencode')
}

export function isOlder(version: string, least: string): boolean {
  const numbers = (text: string) => text.split('.').map((part) => Number.parseInt(part, 10))
  const [a, b] = [numbers(version), numbers(least)]
  for (let i = 0; i < 3; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0)
    if (difference !== 0) return difference < 0
  }
  return false
}
