import { ConflictError, ExternalError, UsageError } from '../domain/errors.js'
import { bdFromGithub, GITHUB_FIELDS, listOf, numberOf, repositoryIn } from '../domain/github-issue.js'
import { printable } from '../domain/ids.js'
import type { Json } from '../domain/record.js'
import { getRig } from './find-entity.js'
import { type ImportReceipt, importBeads } from './import-beads.js'
import type { Town } from './town.js'

export interface GithubRequest {
  /** `owner/repo`; else that of the rig, else that of the folder. */
  repository?: string
  labels: readonly string[]
  state: 'open' | 'closed' | 'all'
  rig?: string
  /** Of the ids; default the rig's, else `gh`. */
  prefix?: string
  cwd: string
  dryRun: boolean
}

const MAX_ISSUES = 10_000
/** A list brings at most so many comments of an issue. */
const LISTED_COMMENTS = 100
const TIMEOUT_MS = 300_000

/**
 * Takes issues of GitHub, asked through its own command line `gh`, with the login that it has. Importing again takes what changed there and
 * leaves what was changed here later.
 *
 * @throws ExternalError code `missing-binary`, `gh-not-logged-in`, `gh-failed`; ConflictError code `id-of-other-issue`
 */
export async function importGithub(
  town: Town,
  request: GithubRequest,
): Promise<{ receipt: ImportReceipt; count: number; isCut: boolean }> {
  const rig = request.rig === undefined ? undefined : getRig(town, request.rig)
  const prefix = request.prefix ?? rig?.prefix ?? 'gh'
  const repository =
    request.repository ?? (rig?.source.kind === 'url' ? repositoryIn(rig.source.url) : undefined)
  const cwd = repository === undefined && rig?.source.kind === 'path' ? rig.source.path : request.cwd
  if (repository === undefined && rig?.source.kind === 'url')
    throw new UsageError(`the rig ${rig.name} is not at github.com: say which repository is meant`, {
      code: 'missing-argument',
      hint: 'gt import --from github OWNER/REPO --rig RIG',
    })
  const gh = ghRunner(town, cwd, repository)
  const state = ['--state', request.state, '--limit', String(MAX_ISSUES)]
  const labels = request.labels.flatMap((label) => ['--label', label])
  const issues = issuesIn(await gh(['issue', 'list', ...state, ...labels, '--json', GITHUB_FIELDS]))
  for (const [i, issue] of issues.entries()) {
    if (listOf(issue.comments).length < LISTED_COMMENTS) continue
    const whole = await gh(['issue', 'view', String(numberOf(issue)), '--json', 'comments'])
    issues[i] = { ...issue, comments: commentsIn(whole) }
  }
  const lines = issues.map((issue) => bdFromGithub(issue, prefix))
  refuseOtherIssues(town, lines)
  const receipt = importBeads(town, lines.map((line) => JSON.stringify(line)).join('\n'), {
    dryRun: request.dryRun,
    ...(rig === undefined ? {} : { rig: rig.name }),
  })
  return { receipt, count: issues.length, isCut: issues.length >= MAX_ISSUES }
}

/** An answer of another shape is no answer: taking it for "no issues" would be a lie. */
function issuesIn(answer: Json): ReturnType<typeof listOf> {
  const issues = objectsIn(answer)
  if (issues === undefined) throw unusable(answer)
  for (const issue of issues) {
    const hasNumber = Number.isInteger(issue.number) && numberOf(issue) > 0
    // gh writes an empty list as [] or null.
    if (!hasNumber || objectsIn(issue.comments ?? []) === undefined) throw unusable(issue)
  }
  return issues
}

function commentsIn(answer: Json): Json {
  const isObject = typeof answer === 'object' && answer !== null && !Array.isArray(answer)
  const comments = isObject ? objectsIn(answer.comments) : undefined
  if (comments === undefined) throw unusable(answer)
  return comments
}

/** @returns undefined when it is no list, or one of something else */
function objectsIn(value: Json | undefined): ReturnType<typeof listOf> | undefined {
  const objects = listOf(value)
  return Array.isArray(value) && objects.length === value.length ? objects : undefined
}

function unusable(answer: Json): ExternalError {
  return new ExternalError(
    `gh answered something else than issues and comments: ${printable(JSON.stringify(answer), 200)}`,
    {
      code: 'gh-failed',
      hint: 'gh issue list shows what it says',
    },
  )
}

/** Numbers begin anew in each repository. */
function refuseOtherIssues(town: Town, lines: readonly Readonly<Record<string, Json>>[]): void {
  const view = town.ledger.read()
  for (const { id, external_ref: ref } of lines) {
    const here = view.get(String(id))?.fields
    if (here === undefined || here.external_ref === ref) continue
    const what = typeof here.external_ref === 'string' ? here.external_ref : 'a bead that was made here'
    throw new ConflictError(
      `${String(id)} is ${printable(what, 200)}, not ${printable(String(ref), 200)}; nothing was imported`,
      {
        code: 'id-of-other-issue',
        hint: 'give the ids of this repository another prefix: --prefix LETTERS',
        details: { id: id ?? null },
      },
    )
  }
}

function ghRunner(town: Town, cwd: string, repository: string | undefined) {
  if (town.host.findProgram('gh', town.env.PATH ?? '') === undefined) {
    throw new ExternalError("gh, GitHub's own command line, is not installed, or not on PATH", {
      code: 'missing-binary',
      hint: 'install it (https://cli.github.com), then: gh auth login',
      details: { binary: 'gh' },
    })
  }
  return async (args: readonly string[]): Promise<Json> => {
    const argv = ['gh', ...args, ...(repository === undefined ? [] : ['--repo', repository])]
    const { exitCode, stdout, stderr } = await town.host.runProgram(argv, { cwd, timeoutMs: TIMEOUT_MS })
    if (exitCode !== 0) throw ghFailed(argv, exitCode, stderr)
    try {
      return JSON.parse(stdout) as Json
    } catch (cause) {
      throw new ExternalError('gh did not answer with JSON', { code: 'gh-failed', details: { argv }, cause })
    }
  }
}

/** gh's own exit code for "authentication required". */
const EXIT_AUTHENTICATION = 4

function ghFailed(argv: readonly string[], exitCode: number, stderr: string): ExternalError {
  const isLogin = exitCode === EXIT_AUTHENTICATION || /gh auth login|not logged in/i.test(stderr)
  const said = stderr.trim().split('\n')[0] ?? ''
  return new ExternalError(isLogin ? 'gh is not logged in to GitHub' : `gh failed: ${printable(said, 300)}`, {
    code: isLogin ? 'gh-not-logged-in' : 'gh-failed',
    hint: isLogin ? 'gh auth login' : 'try it by itself: gh issue list',
    details: { argv: [...argv], exitCode, stderr: stderr.slice(-2_000) },
  })
}
