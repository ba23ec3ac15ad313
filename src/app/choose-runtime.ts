import { ExternalError, NotFoundError, OperationError } from '../domain/errors.js'
import { nearest, printable } from '../domain/ids.js'
import type { Runtime } from '../domain/runtime.js'
import type { Town } from './town.js'

/** An entry of a table of town.toml. @throws NotFoundError with the nearest name */
export function pick<T>(table: Readonly<Record<string, T>>, name: string, what: string): T {
  const value = Object.hasOwn(table, name) ? table[name] : undefined
  if (value !== undefined) return value
  const near = nearest(name, Object.keys(table))
  throw new NotFoundError(`there is no ${what} "${printable(name)}"`, {
    code: `${what}-not-found`,
    hint: near === undefined ? `known: ${Object.keys(table).join(', ')}` : `did you mean ${near}?`,
  })
}

/** @throws ExternalError code `missing-binary`, OperationError code `no-command` */
export function checkProgram(town: Town, runtime: Runtime): void {
  const program = runtime.command[0]
  if (program === undefined) {
    throw new OperationError(`runtime ${runtime.name} has no command`, {
      code: 'no-command',
      hint: `give it one in town.toml: [runtimes.${runtime.name}] command = ["program", "argument"]`,
    })
  }
  if (town.host.findProgram(program, town.env.PATH ?? '')) return
  throw new ExternalError(`${program} is not installed, or not on PATH`, {
    code: 'missing-binary',
    hint:
      program === 'opencode'
        ? 'npm install -g opencode-ai, or choose another runtime with --agent'
        : 'install it, or choose another runtime with --agent',
    details: { program, runtime: runtime.name },
  })
}
