import { describe, expect, it } from 'vitest'
import type { AgentId } from '../../src/domain/ids.js'
import { createControlParser } from '../../src/orchestrators/tmux/control-client.js'
import { paneFormat } from '../../src/orchestrators/tmux/parse-panes.js'
import { isStillInInput, provenArrival } from '../../src/orchestrators/tmux/screen-proof.js'
import { payloadOf } from '../../src/orchestrators/tmux/send-text.js'
import { SOCKET_PATH_LIMIT_BYTES, tmuxSocketPath } from '../../src/orchestrators/tmux/socket-path.js'

describe('proof that a text arrived on the screen', () => {
  const text = '[gt] read your mail with `gt mail check`, then go on.'

  it('finds it wrapped, framed and indented', () => {
    const frame = [
      '╭──────────────────╮',
      '│ > [gt] read your mail wit │',
      '│   h `gt mail check`, t  │',
      '│   hen go on.     │',
      '╰───╯',
    ]
    expect(provenArrival(['╭──╮', '│ > │'], frame, text)).toBe('text')
  })

  it('takes a fold for it, but only on a changed screen', () => {
    const folded = ['┃  [Pasted ~60 lines] ']
    expect(provenArrival(['┃ Ask anything'], folded, text)).toBe('folded')
    expect(provenArrival(folded, folded, text)).toBeUndefined()
  })

  it('is not content with a dialog, or with the same words from before', () => {
    expect(provenArrival(['> '], ['Do you trust this folder?', '1. Yes', '2. No'], text)).toBeUndefined()
    expect(provenArrival([text], [text], text)).toBeUndefined()
    expect(provenArrival(['1. Yes'], ['1. Yes', 'x'], '1')).toBeUndefined()
  })

  it('tells a text that waits in the input from one that was taken', () => {
    const waiting = ['', '', '', '', '', '──────', `❯ ${text}`, '──────']
    const pushed = ['', '', '', '', '──────', `❯ ${text}`, '', '──────']
    const taken = ['', `❯ ${text}`, '', '✻ Working…', '', '──────', '❯ ', '──────']
    expect(isStillInInput(waiting, waiting, text)).toBe(true)
    expect(isStillInInput(waiting, pushed, text)).toBe(true)
    expect(isStillInInput(waiting, taken, text)).toBe(false)
    expect(isStillInInput(waiting, [], text)).toBe(false)
  })
})

describe('what is typed', () => {
  const submit = {
    enterDelayMs: 0,
    prefix: '[gt] ',
    suffix: ' ',
    maxBytes: 60,
    interruptKeys: [],
    exitCommand: '',
  }
  const agent = 'p/a' as AgentId

  it('counts bytes, with what is put around the text', () => {
    expect(payloadOf('é'.repeat(27), submit, agent)).toHaveLength(33)
    expect(() => payloadOf('é'.repeat(28), submit, agent)).toThrow(
      expect.objectContaining({ code: 'text-too-long' }),
    )
    expect(() => payloadOf('\u0000\n', submit, agent)).toThrow(
      expect.objectContaining({ code: 'empty-text' }),
    )
  })
})

describe('panes as tmux tells them', () => {
  it('keeps fields apart, whatever a title holds', () => {
    const { format, parse } = paneFormat('m4rk')
    expect(format).toContain('|m4rk|')
    const title = 'a|b\nc |other| / #{pid}'
    const fields = [
      'p/a',
      'p/a',
      '%3',
      '10',
      '9',
      '1',
      '',
      '9',
      '1700000000',
      '1600000000',
      '1650000000',
      '0',
      '1',
      'node',
      title,
      '',
    ]
    const [pane, ...more] = parse(`${fields.join('|m4rk|')}|m4rk/\n`)
    expect(more).toEqual([])
    expect(pane).toMatchObject({
      agent: 'p/a',
      paneId: '%3',
      panePid: 10,
      serverPid: 9,
      isDead: true,
      signal: 'SIGKILL',
      title,
    })
    expect(pane).not.toHaveProperty('exitCode')
  })
})

describe('the control protocol', () => {
  const collect = (...chunks: string[]) => {
    const notes: string[] = []
    const answers: [boolean, string][] = []
    const parser = createControlParser({
      onNotification: (line) => void notes.push(line),
      onAnswer: (isError, text) => void answers.push([isError, text]),
    })
    for (const chunk of chunks) parser.push(chunk)
    return { notes, answers }
  }

  it('takes nothing inside an answer for a notification or an end', () => {
    const { notes, answers } = collect('%begin 1 7 1\n%exit\n%end 1 6 1\n%end 1 ', '7 1\n%sessions-changed\n')
    expect(answers).toEqual([[false, '%exit\n%end 1 6 1\n']])
    expect(notes).toEqual(['%sessions-changed'])
  })

  it('ignores answers to others, and knows refusals', () => {
    const { answers } = collect('%begin 1 1 0\nx\n%end 1 1 0\n', '%begin 1 2 1\nno such\n%error 1 2 1\n')
    expect(answers).toEqual([[true, 'no such\n']])
  })
})

describe('the socket of a town', () => {
  it('is inside the town while the path is short enough, and always short enough', () => {
    expect(tmuxSocketPath('/home/me/gt')).toBe('/home/me/gt/run/tmux/socket')
    const long = tmuxSocketPath(`/home/${'x'.repeat(90)}/gt`)
    expect(Buffer.byteLength(long)).toBeLessThanOrEqual(SOCKET_PATH_LIMIT_BYTES)
    expect(long).not.toBe(tmuxSocketPath(`/home/${'x'.repeat(91)}/gt`))
  })
})
