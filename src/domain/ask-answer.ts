import type { Ask, AskAnswer } from './ask.js'
import { UsageError } from './errors.js'

/**
 * What a person, or a policy, typed as the answer: `allow`, `always`, `deny`, or text. For a permission text denies it and
 * tells the model why; for a question it is the answer, one text for each.
 *
 * @throws UsageError code `bad-answer`
 */
export function answerOf(ask: Ask, typed: readonly string[], by: string): AskAnswer {
  const said = typed.map((word) => word.trim()).filter((word) => word !== '')
  const [first] = said
  if (first === undefined) throw badAnswer(ask, 'an answer is missing')
  return ask.kind === 'permission' ? permissionAnswer(said.join(' '), by) : questionAnswer(ask, said, by)
}

function permissionAnswer(said: string, by: string): AskAnswer {
  if (said === 'allow') return { reply: 'once' }
  if (said === 'always') return { reply: 'always' }
  return { reply: 'reject', message: said === 'deny' ? deniedBy(by) : said }
}

function questionAnswer(ask: Ask, said: readonly string[], by: string): AskAnswer {
  const wanted = Math.max(1, ask.questions.length)
  const isLabel = (word: string) => ask.options.flat().some((label) => label.toLowerCase() === word)
  const [only] = said
  // Rejecting the question would end the turn; told so, the model goes on without an answer.
  if (said.length === 1 && only === 'deny' && !isLabel(only))
    return { answers: Array.from({ length: wanted }, () => [`(no answer: ${deniedBy(by)})`]) }
  if (said.length === 1 && (only === 'allow' || only === 'always') && !isLabel(only))
    throw badAnswer(ask, `"${only}" answers a permission, not a question`)
  if (said.length !== wanted)
    throw badAnswer(
      ask,
      `${wanted} questions are asked, ${said.length} ${said.length === 1 ? 'answer was' : 'answers were'} given`,
    )
  return { answers: said.map((word, i) => [labelOf(ask.options[i] ?? [], word)]) }
}

/** An option by its label in any case, or by its number; anything else is one's own words. */
function labelOf(options: readonly string[], word: string): string {
  const byNumber = /^\d{1,2}$/.test(word) ? options[Number(word) - 1] : undefined
  return options.find((label) => label.toLowerCase() === word.toLowerCase()) ?? byNumber ?? word
}

function deniedBy(by: string): string {
  return by === 'human'
    ? 'a person said no; go on without it, or another way'
    : `denied by ${by}; go on without it, or another way`
}

function badAnswer(ask: Ask, why: string): UsageError {
  const choices = ask.options[0] ?? []
  return new UsageError(`${ask.shownId}: ${why}`, {
    code: 'bad-answer',
    hint:
      ask.kind === 'permission'
        ? `gt answer ${ask.shownId} allow|always|deny|"why not"`
        : `gt answer ${ask.shownId} ${choices.length > 0 ? choices.map((label) => `"${label}"`).join('|') : '"text"'}`,
    details: { id: ask.id, questions: ask.questions, options: ask.options },
  })
}
