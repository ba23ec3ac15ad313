import type { RigSource } from './rig.js'

/** Changes to the text of town.toml that keep everything else in it, comments included, as it is. */
export interface RigEntry {
  name: string
  source: RigSource
  branch: string
  prefix?: string
  gates: readonly string[]
}

export function withRig(text: string, rig: RigEntry): string {
  const lines = [
    `[rigs.${rig.name}]`,
    rig.source.kind === 'url' ? `url = ${quote(rig.source.url)}` : `path = ${quote(rig.source.path)}`,
    `branch = ${quote(rig.branch)}`,
    ...(rig.prefix === undefined ? [] : [`prefix = ${quote(rig.prefix)}`]),
    ...rig.gates.flatMap((line, i) => [
      '',
      `[[rigs.${rig.name}.gates]]`,
      `name = ${quote(i === 0 ? 'gate' : `gate-${i + 1}`)}`,
      `run = ${quote(line)}`,
    ]),
  ]
  const before = text.endsWith('\n') || text === '' ? text : `${text}\n`
  return `${before}${before === '' ? '' : '\n'}${lines.join('\n')}\n`
}

/** Takes the rig's tables out: from its header to the next header of something else. */
export function withoutRig(text: string, name: string): string {
  const kept: string[] = []
  let inside = false
  for (const line of text.split('\n')) {
    const header = /^\s*\[\[?\s*([^\]]+?)\s*\]\]?/.exec(line)?.[1]
    if (header !== undefined) {
      const key = header.replaceAll(/["'\s]/g, '')
      inside = key === `rigs.${name}` || key.startsWith(`rigs.${name}.`)
    }
    if (!inside) kept.push(line)
  }
  return kept
    .join('\n')
    .replace(/\n{3,}/g, '\n\n')
    .replace(/\n+$/, '\n')
}

/** A TOML basic string. */
function quote(text: string): string {
  return `"${text.replace(/[\\"]/g, (c) => `\\${c}`).replace(/[\u0000-\u001f\u007f]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)}"`
}
