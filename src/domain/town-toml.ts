import type { Gate, RigSource } from './rig.js'

/** Changes to the text of town.toml that keep everything else in it, comments included, as it is. */
export interface RigEntry {
  name: string
  source: RigSource
  branch: string
  prefix?: string
  runtime?: string
  maxAgents?: number
  /** Shell lines, or whole gates. */
  gates: readonly (string | Gate)[]
}

export function withRig(text: string, rig: RigEntry): string {
  const lines = [
    `[rigs.${rig.name}]`,
    rig.source.kind === 'url' ? `url = ${quote(rig.source.url)}` : `path = ${quote(rig.source.path)}`,
    `branch = ${quote(rig.branch)}`,
    ...(rig.prefix === undefined ? [] : [`prefix = ${quote(rig.prefix)}`]),
    ...(rig.runtime === undefined ? [] : [`runtime = ${quote(rig.runtime)}`]),
    ...(rig.maxAgents === undefined ? [] : [`max_agents = ${rig.maxAgents}`]),
    ...rig.gates.flatMap((gate, i) => ['', `[[rigs.${rig.name}.gates]]`, ...gateLines(gate, i)]),
  ]
  const before = text.endsWith('\n') || text === '' ? text : `${text}\n`
  return `${before}${before === '' ? '' : '\n'}${lines.join('\n')}\n`
}

function gateLines(gate: string | Gate, index: number): string[] {
  if (typeof gate === 'string')
    return [`name = ${quote(index === 0 ? 'gate' : `gate-${index + 1}`)}`, `run = ${quote(gate)}`]
  return [`name = ${quote(gate.name)}`, `run = ${quote(gate.run)}`, `timeout = "${gate.timeoutMs}ms"`]
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

/** Sets `key` in the table `[table]`, which is added at the end when it is not there. */
export function withKey(text: string, table: string, key: string, value: string): string {
  const line = `${key} = ${quote(value)}`
  const lines = text.split('\n')
  const header = lines.findIndex((one) => new RegExp(`^\\s*\\[\\s*${table}\\s*\\]`).test(one))
  if (header < 0) return `${text.replace(/\n*$/, '\n')}\n[${table}]\n${line}\n`
  const next = lines.findIndex((one, i) => i > header && /^\s*\[/.test(one))
  const end = next < 0 ? lines.length : next
  const old = lines.findIndex((one, i) => i > header && i < end && new RegExp(`^\\s*${key}\\s*=`).test(one))
  if (old >= 0) lines[old] = line
  else lines.splice(header + 1, 0, line)
  return lines.join('\n')
}

/** A TOML basic string. */
function quote(text: string): string {
  return `"${text.replace(/[\\"]/g, (c) => `\\${c}`).replace(/[\u0000-\u001f\u007f]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)}"`
}
