import { ConflictError, UsageError } from '../domain/errors.js'
import { printable, rigName } from '../domain/ids.js'
import type { Gate, Rig, RigSource } from '../domain/rig.js'
import { withRig } from '../domain/town-toml.js'
import { getRig } from './find-entity.js'
import type { Town } from './town.js'

export interface NewRig {
  name: string
  /** URL, or path of a clone that the user has. */
  from: string
  branch?: string
  prefix?: string
  runtime?: string
  maxAgents?: number
  /** Shell lines, or whole gates, that must pass before anything lands. */
  gates: readonly (string | Gate)[]
  /** Folder that a relative path is meant from. */
  cwd: string
}

/**
 * Puts a repository under management. The repository is made ready first; town.toml says so last.
 * @throws ConflictError code `rig-exists` | `rig-known`; UsageError for a bad name or path; OperationError code `no-commits`; ExternalError when git cannot reach it
 */
export async function addRig(town: Town, request: NewRig): Promise<Rig> {
  const name = rigName(request.name)
  if (Object.hasOwn(town.config.rigs, name)) {
    throw new ConflictError(`there is a rig ${name} already`, {
      code: 'rig-exists',
      hint: `gt rig show ${name}`,
    })
  }
  const repositories = await town.repositories()
  const source = await readSource(town, request)
  for (const rig of Object.values(town.config.rigs)) {
    if (JSON.stringify(rig.source) === JSON.stringify(source)) {
      throw new ConflictError(`that repository is the rig ${rig.name} already`, {
        code: 'rig-known',
        hint: `gt rig show ${rig.name}`,
      })
    }
  }
  const prepared = await repositories.prepare({ name, source })
  town.step('rig.prepared')
  const branch = request.branch ?? prepared.defaultBranch
  // A branch that is not there is said now, not at the first sling.
  await repositories.targetHead({ name, source, branch, prefix: '', gates: [] })
  await town.editConfig((text) =>
    withRig(text, {
      name,
      source,
      branch,
      gates: request.gates,
      ...(request.prefix === undefined ? {} : { prefix: request.prefix }),
      ...(request.runtime === undefined ? {} : { runtime: request.runtime }),
      ...(request.maxAgents === undefined ? {} : { maxAgents: request.maxAgents }),
    }),
  )
  return getRig(town, name)
}

async function readSource(town: Town, { from, cwd }: NewRig): Promise<RigSource> {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(from) || /^[^/\s]+@[^/\s]+:/.test(from))
    return { kind: 'url', url: withoutPassword(from) }
  const path = from.startsWith('/') ? from : `${cwd}/${from}`
  if (!town.host.exists(path)) {
    throw new UsageError(`${printable(from, 200)} is neither a URL nor a folder`, {
      code: 'no-such-source',
      hint: 'gt rig add NAME https://… or gt rig add NAME PATH-OF-A-CLONE',
    })
  }
  const repositories = await town.repositories()
  const clone = await repositories.findClone(path)
  if (!clone) {
    throw new UsageError(`${printable(from, 200)} is not a git repository`, {
      code: 'not-a-repository',
      hint: `git -C ${from} init, commit something, then add it`,
    })
  }
  return { kind: 'path', path: clone.top }
}

/** What stands in a URL ends up in town.toml, in git's own configuration and on screens. */
function withoutPassword(url: string): string {
  const secret = /^[a-z][a-z0-9+.-]*:\/\/[^/@\s]*:[^/@\s]+@/i.test(url)
  if (!secret) return url
  throw new UsageError('that URL holds a password, and gt would store and show it', {
    code: 'secret-in-url',
    hint: 'leave it out and let git ask its credential helper: git config --global credential.helper store',
  })
}
