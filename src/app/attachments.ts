import {
  type Attachment,
  attachmentField,
  attachmentJson,
  attachmentKey,
  attachmentsOf,
  contentField,
  isUrl,
} from '../domain/attachment.js'
import { ConflictError, NotFoundError, OperationError, UsageError } from '../domain/errors.js'
import { text } from '../domain/fields.js'
import { printable } from '../domain/ids.js'
import { changeBead } from './change-bead.js'
import { getBead } from './find-entity.js'
import type { Town } from './town.js'

/** `there`: as it was. A URL is not asked. */
export type AttachmentState = 'there' | 'changed' | 'gone' | 'url'

export interface ShownAttachment extends Attachment {
  state: AttachmentState
}

/** What is copied goes into the store, and with it to every machine. */
const MAX_COPY_BYTES = 1_048_576

/**
 * Attaching the same place again notes how it is now.
 * @param ref - path or URL as typed
 * @throws NotFoundError code `no-such-file`; UsageError code `too-large` for a copy of over 1 MiB
 */
export function attachToBead(
  town: Town,
  typed: string,
  request: { ref: string; note?: string; copy: boolean; cwd: string },
): ShownAttachment {
  const { copy, cwd, note } = request
  const ref = isUrl(request.ref) || request.ref.startsWith('/') ? request.ref : `${cwd}/${request.ref}`
  const file = isUrl(ref) ? undefined : getFingerprint(town, ref)
  const content = copy ? copiedContent(town, ref, file) : undefined
  const key = attachmentKey(ref)
  const attachment: Attachment = {
    key,
    ref,
    name: ref.replace(/\/+$/, '').split('/').at(-1) ?? ref,
    ...(note === undefined ? {} : { note }),
    by: town.actor,
    at: new Date(town.clock.now()).toISOString(),
    ...(file === undefined ? {} : { file }),
    isCopied: copy,
  }
  changeBead(town, typed, (bead) => {
    const f = { [attachmentField(key)]: attachmentJson(attachment), [contentField(key)]: content ?? null }
    return [{ o: 'set', id: bead.id, f, b: [contentField(key)] }]
  })
  return { ...attachment, state: file === undefined ? 'url' : 'there' }
}

function getFingerprint(town: Town, path: string): NonNullable<Attachment['file']> {
  const file = town.host.fingerprint(path)
  if (file !== undefined) return file
  throw new NotFoundError(`there is no file ${printable(path, 200)} that can be read`, {
    code: 'no-such-file',
    hint: 'a path of a file, or a URL',
    details: { path },
  })
}

function copiedContent(town: Town, ref: string, file: Attachment['file']): string {
  if (file === undefined)
    throw new UsageError('only a file can be copied, not what a URL leads to', {
      code: 'bad-copy',
      hint: 'download it and attach the file',
    })
  if (file.sizeBytes > MAX_COPY_BYTES) {
    throw new UsageError(`${printable(ref, 200)} has ${file.sizeBytes} bytes, at most 1 MiB is copied`, {
      code: 'too-large',
      hint: 'attach it without --copy, or put it somewhere and attach the URL',
    })
  }
  return Buffer.from(town.host.readBytes(ref) ?? []).toString('base64')
}

export function listAttachments(town: Town, typed: string): ShownAttachment[] {
  const view = town.ledger.read()
  const entity = view.get(getBead(view, typed).id)
  if (entity === undefined) return []
  return attachmentsOf(entity).map((attachment) => ({ ...attachment, state: stateOf(town, attachment) }))
}

function stateOf(town: Town, { ref, file }: Attachment): AttachmentState {
  if (file === undefined) return 'url'
  const now = town.host.fingerprint(ref)
  if (now === undefined) return 'gone'
  return now.sha256 === file.sha256 ? 'there' : 'changed'
}

/**
 * Writes an attachment to a file: the copy that was stored, or the original while it is still what was attached.
 * @returns the path written
 * @throws ConflictError code `file-exists`; NotFoundError code `attachment-lost` when neither is to be had
 */
export function saveAttachment(
  town: Town,
  typed: string,
  request: { name: string; target?: string; cwd: string; force: boolean },
): { path: string; sizeBytes: number; from: 'copy' | 'original' } {
  const attachment = getAttachment(listAttachments(town, typed), request.name)
  const target = request.target ?? attachment.name
  const path = target.startsWith('/') ? target : `${request.cwd}/${target}`
  if (town.host.exists(path) && !request.force) {
    throw new ConflictError(`${printable(path, 200)} is there already`, {
      code: 'file-exists',
      hint: 'name another file, or --force',
    })
  }
  const { bytes, from } = contentOf(town, typed, attachment)
  town.host.writeBytes(path, bytes)
  const written = town.host.fingerprint(path)
  if (written?.sha256 !== attachment.file?.sha256)
    throw new OperationError(`${printable(path, 200)} is not what was attached`, {
      code: 'attachment-damaged',
    })
  return { path, sizeBytes: bytes.length, from }
}

function contentOf(town: Town, typed: string, attachment: ShownAttachment) {
  const view = town.ledger.read()
  const entity = view.get(getBead(view, typed).id)
  const data = entity === undefined ? undefined : text(entity, contentField(attachment.key))
  if (data !== undefined) return { bytes: Buffer.from(data, 'base64'), from: 'copy' as const }
  const bytes = attachment.state === 'there' ? town.host.readBytes(attachment.ref) : undefined
  if (bytes !== undefined) return { bytes, from: 'original' as const }
  throw new NotFoundError(
    `the content of ${printable(attachment.name)} was not copied, and ${printable(attachment.ref, 200)} is ${attachment.state === 'changed' ? 'another one now' : 'not to be had here'}`,
    { code: 'attachment-lost', hint: 'gt bead attach ID PATH --copy keeps the content, too' },
  )
}

export function removeAttachment(town: Town, typed: string, name: string): Attachment {
  const attachment = getAttachment(listAttachments(town, typed), name)
  changeBead(town, typed, (bead) => [
    {
      o: 'set',
      id: bead.id,
      f: { [attachmentField(attachment.key)]: null, [contentField(attachment.key)]: null },
    },
  ])
  return attachment
}

function getAttachment(all: readonly ShownAttachment[], name: string): ShownAttachment {
  const fitting = all.filter((one) => one.key === name || one.name === name || one.ref === name)
  const [first] = fitting
  if (first !== undefined && fitting.length === 1) return first
  throw new NotFoundError(
    fitting.length > 1
      ? `there are several "${printable(name)}"`
      : `there is no attachment "${printable(name)}"`,
    {
      code: 'attachment-not-found',
      hint:
        all.length === 0
          ? 'the bead has none'
          : `it has ${all.map(({ key, name: n }) => `${key} (${n})`).join(', ')}`,
    },
  )
}
