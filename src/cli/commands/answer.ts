import { defineCommand, textOption } from '../command.js'
import { parseDuration } from '../parse-values.js'

export default defineCommand({
  name: 'answer',
  group: 'talk',
  summary: 'answer what an agent asks; returns when its session said that it has the answer',
  about:
    'A permission: allow (this once), always (until the session ends), deny, or text: denied, and the model is told the text. ' +
    'A question: the label or the number of an option, or your own words; one text for each question; deny tells the model that there is no answer. ' +
    'Exit code 5 when it was answered before or nobody waits any more, 7 when the session did not confirm in time (the answer stays recorded and is given later).',
  args: [
    { name: 'ask', about: 'its id; gt asks lists them', required: true },
    { name: 'answer', about: 'allow, always, deny, or text', required: true, many: true },
  ],
  options: [{ flags: '--timeout <duration>', about: 'wait so long for the proof (default 30s)' }],
  examples: ['gt answer q-4k7q2 allow', 'gt answer q-4k7q2 "use npm ci instead"', 'gt answer q-9x1zz 2'],
  async run(context, args, options) {
    const { answerAsk, answerText } = await import('../../app/answer-ask.js')
    const { askTitle } = await import('../../domain/ask.js')
    const { plain } = await import('../table.js')
    const timeoutMs = parseDuration(textOption(options, 'timeout'), '--timeout')
    const town = await context.town()
    const { ask } = await answerAsk(town, args.text(0), args.list(1), timeoutMs)
    const said = `${ask.agent} has its answer: ${answerText(ask.answer)}`
    return { data: { ask }, text: `${said} · ${plain(askTitle(ask), 120)}` }
  },
})
