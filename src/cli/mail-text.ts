import { canBeAnswered, type Mail } from '../domain/mail.js'
import { byteLength, clip } from '../domain/prime.js'
import { plain, plainLines } from './table.js'

export function mailText(mail: Mail): string[] {
  return [
    `${mail.shownId}  ${plain(mail.subject, 300)}`,
    `  from ${mail.from} to ${mail.to} at ${mail.sentAt}`,
    ...(mail.body === '' ? [] : ['', plainLines(mail.body)]),
    ...(canBeAnswered(mail) ? ['', `answer: gt mail reply ${mail.shownId} -m "…"`] : []),
  ]
}

/** What an agent's model is shown: marked as what it is, whole mails where they fit, else where the rest is. */
export function mailForModel(mails: readonly Mail[], limitBytes: number): string {
  const room = Math.floor((limitBytes - 300) / mails.length)
  const parts = mails.map((mail) => {
    const head = `[gt mail ${mail.shownId} from ${mail.from}] ${plain(mail.subject, 300)}`
    const body = clip(
      plainLines(mail.body),
      Math.max(0, room - byteLength(head) - 80),
      `gt mail read ${mail.shownId}`,
    )
    const foot = canBeAnswered(mail) ? `(answer with: gt mail reply ${mail.shownId} -m "…")` : ''
    return [head, body, foot].filter((line) => line !== '').join('\n')
  })
  return parts.join('\n\n')
}
