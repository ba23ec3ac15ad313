import { canBeAnswered, type Mail } from '../domain/mail.js'
import { byteLength, clip } from '../domain/prime.js'
import { plain, plainLines } from './table.js'

export function mailText(mail: Mail): string[] {
  return [
    `${mail.shownId}  ${plain(mail.subject, 300)}`,
    `  from ${plain(mail.from)} to ${plain(mail.to)} at ${mail.sentAt}`,
    ...(mail.body === '' ? [] : ['', plainLines(mail.body)]),
    ...(canBeAnswered(mail) ? ['', `answer: gt mail reply ${mail.shownId} -m "…"`] : []),
  ]
}

/** What an agent's model is shown: marked as what it is, whole mails where they fit, else where the rest is. */
export function mailForModel(mails: readonly Mail[], limitBytes: number): string {
  return mailTexts(mails, limitBytes)
    .map(({ text }) => text)
    .join('\n\n')
}

/** One text for each; `mark` is how a conversation that holds it is told from one that does not. */
export function mailTexts(
  mails: readonly Mail[],
  limitBytes: number,
): { id: string; mark: string; again: boolean; text: string }[] {
  const room = Math.floor((limitBytes - 300) / Math.max(1, mails.length))
  return mails.map((mail) => {
    const mark = `[gt mail ${mail.shownId} from ${plain(mail.from)}]`
    const head = `${mark} ${plain(mail.subject, 300)}`
    const body = clip(
      plainLines(mail.body),
      Math.max(0, room - byteLength(head) - 80),
      `gt mail read ${mail.shownId}`,
    )
    const foot = canBeAnswered(mail) ? `(answer with: gt mail reply ${mail.shownId} -m "…")` : ''
    const text = [head, body, foot].filter((line) => line !== '').join('\n')
    return { id: mail.id, mark, again: mail.status === 'handed', text }
  })
}
