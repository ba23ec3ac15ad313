import { createHash } from 'node:crypto'
import { BugError, UsageError } from '../domain/errors.js'
import { printable } from '../domain/ids.js'
import type { Sha } from '../ports/repositories.js'

const SHA = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/

/** Stands for "the ref must not exist" in compare-and-set. */
export const ABSENT: Sha = '0'.repeat(40)

/** Object ids come from our own records, so a wrong one is our bug; it must not reach git as an option. */
export function checkSha(text: string): Sha {
  if (SHA.test(text)) return text
  throw new BugError(`"${printable(text)}" is not a full object id`, { code: 'bad-object-id' })
}

/**
 * Rules of git check-ref-format(1), plus: no leading dash, which git itself allows in refs but reads as an option.
 * @throws UsageError code `bad-branch-name`
 */
export function checkBranch(name: string): string {
  const parts = name.split('/')
  const bad =
    name === '' ||
    name === '@' ||
    name === 'HEAD' ||
    name.startsWith('-') ||
    name.endsWith('.') ||
    /[\u0000-\u0020\u007f~^:?*[\\]|\.\.|@\{/.test(name) ||
    parts.some((part) => part === '' || part.startsWith('.') || part.endsWith('.lock'))
  if (!bad) return name
  throw new UsageError(`"${printable(name)}" cannot be a branch name`, {
    code: 'bad-branch-name',
    hint: 'use letters, digits, "/", ".", "_" or "-", not starting with "-"',
  })
}

/** Short name for files that belong to a path or a repository. */
export function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}

/** For hints: a command that can be pasted even when the path has blanks. */
export function quoted(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`
}
