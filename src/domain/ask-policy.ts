import type { Ask, AskAnswer } from './ask.js'
import { answerOf } from './ask-answer.js'

/** One rule of town.toml. */
export interface AskPolicy {
  /** `*` stands for any characters, `?` for one. */
  tool: string
  pattern: string
  /** `allow`, `always`, `deny`, or text. */
  answer: string
}

/**
 * The first policy that fits decides for each pattern of a permission: one that is denied denies the whole, all that are
 * allowed allow it, anything else waits for a person. For a question the first that fits its text gives the answer.
 */
export function policyAnswer(
  ask: Ask,
  policies: readonly AskPolicy[],
): { answer: AskAnswer; by: string } | undefined {
  const fitting = policies.map((policy, i) => ({ policy, by: `policy ${i + 1}` }))
  const first = (subject: string) =>
    fitting.find(({ policy }) => fits(policy.tool, ask.tool) && fits(policy.pattern, subject))
  if (ask.kind === 'question') {
    const found = first(ask.questions.join('\n'))
    return found && answered(ask, found)
  }
  const subjects = ask.patterns.length > 0 ? ask.patterns : [ask.context]
  const found = subjects.map(first)
  const denying = found.find((one) => one !== undefined && !isAllowing(one.policy))
  if (denying) return answered(ask, denying)
  const [one] = found
  if (one === undefined || found.some((other) => other === undefined)) return undefined
  // Of "allow" and "always" together the narrower one.
  return answered(ask, found.find((other) => other?.policy.answer === 'allow') ?? one)
}

function isAllowing({ answer }: AskPolicy): boolean {
  return answer === 'allow' || answer === 'always'
}

function answered(
  ask: Ask,
  { policy, by }: { policy: AskPolicy; by: string },
): { answer: AskAnswer; by: string } | undefined {
  try {
    return { answer: answerOf(ask, [policy.answer], by), by }
  } catch {
    return undefined // One that does not fit the kind of ask leaves it to a person.
  }
}

export function fits(pattern: string, subject: string): boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '[\\s\\S]*')
    .replaceAll('?', '[\\s\\S]')
  return new RegExp(`^${source}$`).test(subject)
}
