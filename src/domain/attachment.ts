import { object } from './fields.js'
import type { Entity, Json } from './record.js'
import { textHash } from './text-hash.js'

/** A file or address that belongs to a bead. The bead holds where it is and what it was, and the content only when told so. */
export interface Attachment {
  /** Names it within its bead. */
  key: string
  /** Absolute path, or URL. */
  ref: string
  name: string
  note?: string
  by: string
  at: string
  /** As it was when it was attached; absent for a URL. */
  file?: { sizeBytes: number; sha256: string }
  isCopied: boolean
}

const PREFIX = 'att.'

export function attachmentKey(ref: string): string {
  return textHash(ref).slice(0, 5)
}

export function attachmentField(key: string): string {
  return PREFIX + key
}

/** Where the content is, in base64, when it was copied. */
export function contentField(key: string): string {
  return `${PREFIX}${key}.data`
}

export function isUrl(ref: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(ref)
}

export function attachmentsOf(entity: Entity): Attachment[] {
  const found: Attachment[] = []
  for (const field of Object.keys(entity.fields)) {
    if (!field.startsWith(PREFIX) || field.endsWith('.data')) continue
    const attachment = readAttachment(field.slice(PREFIX.length), entity)
    if (attachment !== undefined) found.push(attachment)
  }
  return found.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : a.key < b.key ? -1 : 1))
}

function readAttachment(key: string, entity: Entity): Attachment | undefined {
  const value = object(entity, attachmentField(key))
  if (typeof value?.ref !== 'string') return undefined
  const { ref, name, note, by, at, size_bytes: size, sha256 } = value
  return {
    key,
    ref,
    name: textOr(name, ref),
    ...(typeof note === 'string' ? { note } : {}),
    by: textOr(by, ''),
    at: textOr(at, ''),
    ...(typeof size === 'number' && typeof sha256 === 'string' ? { file: { sizeBytes: size, sha256 } } : {}),
    // Asked for by name only: reading it would fetch the content.
    isCopied: Object.hasOwn(entity.fields, contentField(key)),
  }
}

function textOr(value: Json | undefined, otherwise: string): string {
  return typeof value === 'string' ? value : otherwise
}

export function attachmentJson({ ref, name, note, by, at, file }: Attachment): Record<string, Json> {
  return {
    ref,
    name,
    by,
    at,
    ...(note === undefined ? {} : { note }),
    ...(file === undefined ? {} : { size_bytes: file.sizeBytes, sha256: file.sha256 }),
  }
}
