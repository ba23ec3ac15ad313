import { existsSync } from 'node:fs'
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { OperationError, UsageError } from '../domain/errors.js'
import type { RigSource } from '../domain/rig.js'
import type { Sha } from '../ports/repositories.js'
import { NETWORK_SILENCE_MS } from './git-command.js'
import { withoutSecrets } from './git-failure.js'
import { quoted, shortHash } from './names.js'
import { FETCH } from './remote.js'
import { at, bareDirectory, type GitContext, locateClone } from './repository.js'

interface Prepared {
  defaultBranch: string
  head: Sha
}

export async function prepareRig(
  context: GitContext,
  rig: { name: string; source: RigSource },
): Promise<Prepared> {
  return rig.source.kind === 'url'
    ? prepareUrl(context, { name: rig.name, url: rig.source.url })
    : preparePath(context, rig.source.path)
}

async function preparePath(context: GitContext, path: string): Promise<Prepared> {
  const found = await locateClone(context.git, path)
  if (!existsSync(path) || found === undefined) {
    throw new UsageError(existsSync(path) ? `${path} is not a git repository` : `no such folder: ${path}`, {
      code: 'not-a-repository',
      hint: existsSync(path)
        ? `git init ${quoted(path)}`
        : 'give the path of a clone, or the URL of a repository',
      details: { path },
    })
  }
  const refs = await listRefs(context, found.gitDir, 'refs/heads/')
  const head = await context.git.attempt({
    ...at(found),
    args: ['symbolic-ref', '--quiet', '--short', 'HEAD'],
  })
  const remoteHead = await context.git.attempt({
    ...at(found),
    args: ['symbolic-ref', '--quiet', '--short', 'refs/remotes/origin/HEAD'],
  })
  const wanted = [head.stdout.trim(), remoteHead.stdout.trim().replace(/^origin\//, '')]
  return chooseDefault(refs, wanted, {
    what: found.top,
    commitHint: `git -C ${quoted(found.top)} commit --allow-empty -m "first commit"`,
  })
}

async function prepareUrl(context: GitContext, rig: { name: string; url: string }): Promise<Prepared> {
  const target = bareDirectory(context.townRoot, rig.name)
  if (rig.url.startsWith('-')) {
    throw new UsageError(`"${rig.url}" cannot be the URL of a repository`, { code: 'bad-url' })
  }
  await mkdir(dirname(target), { recursive: true })
  return context.lock(`clone-${shortHash(target)}`, async () => {
    await removeInterrupted(target)
    if (existsSync(target)) await refresh(context, target, rig.url)
    else await cloneInto(context, target, rig.url)
    return remoteDefault(context, target, rig.url)
  })
}

/**
 * The clone is made beside its place and moved there when whole, so repo.git either is complete or does not exist.
 * No `git clone --bare`: refs/heads is kept for our own branches, the remote's go to refs/remotes/origin.
 */
async function cloneInto(context: GitContext, target: string, url: string): Promise<void> {
  const partial = `${target}.partial-${shortHash(`${context.clock.now()} ${url}`)}`
  try {
    await context.git.run({
      cwd: dirname(target),
      args: ['init', '--quiet', '--bare', '--template=', '--initial-branch=main', partial],
    })
    const place = at({ gitDir: partial })
    await context.git.run({ ...place, args: ['config', 'remote.origin.url', url] })
    await context.git.run({
      ...place,
      args: ['config', 'remote.origin.fetch', '+refs/heads/*:refs/remotes/origin/*'],
    })
    await context.git.run({ ...place, args: ['config', 'core.logAllRefUpdates', 'true'] })
    context.onStep('clone-started')
    await context.git.run({ ...place, args: [...FETCH, 'origin'], silenceMs: NETWORK_SILENCE_MS })
    context.onStep('clone-fetched')
    await rename(partial, target)
  } catch (error) {
    await rm(partial, { recursive: true, force: true })
    throw error
  }
}

async function refresh(context: GitContext, target: string, url: string): Promise<void> {
  const place = at({ gitDir: target })
  await context.git.run({ ...place, args: ['config', 'remote.origin.url', url] })
  await context.git.run({ ...place, args: [...FETCH, '--prune', 'origin'], silenceMs: NETWORK_SILENCE_MS })
}

/** Left by a killed process; the lock says that nobody works on them now. */
async function removeInterrupted(target: string): Promise<void> {
  for (const name of await readdir(dirname(target))) {
    if (name.startsWith(`${basename(target)}.partial-`)) {
      await rm(join(dirname(target), name), { recursive: true, force: true })
    }
  }
}

async function remoteDefault(context: GitContext, gitDir: string, url: string): Promise<Prepared> {
  const place = at({ gitDir })
  const asked = await context.git.run({
    ...place,
    args: ['ls-remote', '--symref', 'origin', 'HEAD'],
    silenceMs: NETWORK_SILENCE_MS,
  })
  const named = /^ref: refs\/heads\/(\S+)\tHEAD$/m.exec(asked)?.[1]
  const headSha = /^([0-9a-f]+)\tHEAD$/m.exec(asked)?.[1]
  const refs = await listRefs(context, gitDir, 'refs/remotes/origin/')
  refs.delete('HEAD')
  // A server that does not tell the name of HEAD still tells its commit.
  const guessed = [...refs].filter(([, sha]) => sha === headSha).map(([name]) => name)
  const chosen = chooseDefault(refs, [named, ...preferred(guessed), ...guessed], {
    what: withoutSecrets(url),
    commitHint: 'push a first commit to it',
  })
  // Agents know the target as origin/HEAD, as in any clone.
  const head = ['refs/remotes/origin/HEAD', `refs/remotes/origin/${chosen.defaultBranch}`]
  await context.git.run({ ...place, args: ['symbolic-ref', ...head] })
  return chosen
}

function preferred(names: readonly string[]): string[] {
  return ['main', 'master', 'trunk', 'develop'].filter((name) => names.includes(name))
}

function chooseDefault(
  refs: ReadonlyMap<string, Sha>,
  wanted: readonly (string | undefined)[],
  words: { what: string; commitHint: string },
): Prepared {
  if (refs.size === 0) {
    throw new OperationError(`${words.what} has no commits yet`, {
      code: 'no-commits',
      hint: words.commitHint,
    })
  }
  const only = refs.size === 1 ? [...refs.keys()] : []
  for (const name of [...wanted, ...preferred([...refs.keys()]), ...only]) {
    const head = name === undefined ? undefined : refs.get(name)
    if (name !== undefined && head !== undefined) return { defaultBranch: name, head }
  }
  throw new OperationError(`${words.what} does not say which of its ${refs.size} branches is the main one`, {
    code: 'no-default-branch',
    hint: 'name the target branch of the rig in town.toml',
    details: { branches: [...refs.keys()].slice(0, 20) },
  })
}

async function listRefs(context: GitContext, gitDir: string, prefix: string): Promise<Map<string, Sha>> {
  const out = await context.git.run({
    ...at({ gitDir }),
    args: ['for-each-ref', '--format=%(objectname) %(refname)', prefix],
  })
  const lines = out.split('\n').filter((line) => line !== '')
  return new Map(
    lines.map((line) => {
      const space = line.indexOf(' ')
      return [line.slice(space + 1 + prefix.length), line.slice(0, space)]
    }),
  )
}
