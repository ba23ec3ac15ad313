import type { BdIssue } from './bd/shape.js'
import type { Json } from './record.js'

/** The fields that are asked of `gh issue list --json`. */
export const GITHUB_FIELDS =
  'number,title,body,labels,author,assignees,comments,state,stateReason,createdAt,updatedAt,closedAt,url,milestone'

type JsonObject = Readonly<Record<string, Json>>

/** An issue of GitHub, in the words of bd: from there on it is imported as any other. */
export function bdFromGithub(issue: JsonObject, prefix: string): BdIssue {
  const id = `${prefix}-${numberOf(issue)}`
  const labels = listOf(issue.labels).flatMap((label) => nameIn(label, 'name') ?? [])
  const author = nameIn(issue.author, 'login')
  const assignee = listOf(issue.assignees).flatMap((one) => nameIn(one, 'login') ?? [])[0]
  const isClosed = issue.state === 'CLOSED'
  const milestone = nameIn(issue.milestone, 'title')
  return {
    id,
    title: text(issue.title) ?? '(no title)',
    ...given('description', text(issue.body)),
    status: isClosed ? 'closed' : 'open',
    issue_type: typeIn(labels),
    ...(labels.length > 0 ? { labels } : {}),
    ...given('created_by', author),
    ...given('assignee', assignee),
    ...given('external_ref', text(issue.url)),
    ...given('created_at', text(issue.createdAt)),
    ...given('updated_at', text(issue.updatedAt)),
    ...(isClosed ? given('closed_at', text(issue.closedAt)) : {}),
    ...(isClosed ? given('close_reason', text(issue.stateReason)?.toLowerCase()) : {}),
    ...(milestone === undefined ? {} : { metadata: { github_milestone: milestone } }),
    ...commentsOf(id, issue.comments),
  }
}

function commentsOf(id: string, comments: Json | undefined): BdIssue {
  const read = listOf(comments).map((comment) => ({
    id: text(comment.id) ?? text(comment.url) ?? '',
    issue_id: id,
    author: nameIn(comment.author, 'login') ?? 'ghost',
    text: text(comment.body) ?? '',
    created_at: text(comment.createdAt) ?? '',
  }))
  return read.length === 0 ? {} : { comments: read }
}

function typeIn(labels: readonly string[]): string {
  const lower = labels.map((label) => label.toLowerCase())
  if (lower.includes('bug')) return 'bug'
  return lower.includes('enhancement') || lower.includes('feature') ? 'feature' : 'task'
}

export function numberOf(issue: JsonObject): number {
  return typeof issue.number === 'number' ? issue.number : 0
}

function given(name: string, value: string | undefined): BdIssue {
  return value === undefined || value === '' ? {} : { [name]: value }
}

function text(value: Json | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined
}

function nameIn(value: Json | undefined, field: string): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const name = text(value[field])
  return name === '' ? undefined : name
}

export function listOf(value: Json | undefined): JsonObject[] {
  return Array.isArray(value)
    ? value.filter(
        (one): one is Record<string, Json> => typeof one === 'object' && one !== null && !Array.isArray(one),
      )
    : []
}

/** `owner/repo` of a URL of github.com. */
export function repositoryIn(url: string): string | undefined {
  return /github\.com[:/]([\w.-]+\/[\w.-]+?)(?:\.git)?\/?$/.exec(url)?.[1]
}
