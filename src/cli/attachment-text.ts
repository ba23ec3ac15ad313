import type { ShownAttachment } from '../app/attachments.js'
import { plain } from './table.js'

const STATES = { there: '', changed: ' · CHANGED since', gone: ' · NOT THERE any more', url: '' }

export function attachmentLines(attachments: readonly ShownAttachment[]): string[] {
  return attachments.map(({ key, ref, note, file, state, isCopied }) => {
    const size = file === undefined ? '' : ` · ${file.sizeBytes} bytes`
    const copied = isCopied ? ' · copied' : ''
    return `  attached ${key}: ${plain(ref, 300)}${size}${copied}${STATES[state]}${note === undefined ? '' : ` · ${plain(note)}`}`
  })
}

export function attachmentsJson(attachments: readonly ShownAttachment[]) {
  return attachments.map(({ isCopied, file, note, ...rest }) => ({
    ...rest,
    note: note ?? null,
    size_bytes: file?.sizeBytes ?? null,
    sha256: file?.sha256 ?? null,
    copied: isCopied,
  }))
}
