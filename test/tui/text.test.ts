import { describe, expect, test } from 'vitest'
import { cellWidth, cutCells, graphemes, takeCells, wrapCells } from '../../src/tui/cells.js'
import {
  fitLine,
  type Line,
  lineWidth,
  paintLine,
  parseScreenLine,
  span,
  spread,
} from '../../src/tui/line.js'
import { sanitise, toAscii, typedText } from '../../src/tui/sanitise.js'
import { themeFor } from '../../src/tui/theme.js'

const theme = themeFor({ LANG: 'C.UTF-8', TERM: 'xterm' })
const grey = themeFor({ LANG: 'C.UTF-8', TERM: 'xterm', NO_COLOR: '1' })
const ascii = themeFor({ LANG: 'C', TERM: 'xterm' })
const textOf = (line: Line) => line.map((part) => part.text).join('')

describe('sanitise', () => {
  test.each([
    ['plain text', 'plain text'],
    ['a\u001b[31mb\u001b[0mc', 'abc'],
    ['a\u001b]8;;http://x\u001b\\link\u001b]8;;\u001b\\b', 'alinkb'],
    ['a\u001b]0;title\u0007b', 'ab'],
    ['unterminated \u001b]0;title', 'unterminated '],
    ['a\u001bPq#0\u001b\\b\u009b2Jc', 'abc'],
    ['tab\tnew\nline\r\nend\u2028x', 'tab new line end x'],
    ['a\u0000\u0008\u007f\u0085b', 'a b'],
    ['\u202eabc\u2069\u200b\u200dd\u00ade\ufeff', 'abcde'],
    ['👩‍👩‍👧 👍🏽 ❤️ 1️⃣', '👩👩👧 👍 ❤ 1'],
    ['🇩🇪', 'DE'],
    ['\u0301start e\u0301\u0301\u0301\u0301', 'start é\u0301\u0301'],
    ['lone \ud800 half', 'lone \ufffd half'],
    ['漢字', '漢字'],
  ])('%j becomes %j', (text, safe) => {
    expect(sanitise(text)).toBe(safe)
    expect(sanitise(safe)).toBe(safe)
  })

  test('typed text keeps emoji sequences, but no control characters', () => {
    expect(typedText('👩‍👩‍👧 \u001b[31ma\nb\u0007')).toBe('👩‍👩‍👧 a b')
  })

  test('a large hostile text is done quickly enough to be drawn', () => {
    expect(sanitise('\u001b]'.repeat(50_000)).length).toBeLessThan(100_001)
    expect(sanitise(`\u001b[${'1;'.repeat(50_000)}`)).toBe('')
  })

  test('the ASCII version has the same width', () => {
    for (const text of ['╭─│▌█░…', '漢字 Ａé', '🚀 x', '“quoted” – dash']) {
      expect(toAscii(text)).toMatch(/^[\x20-\x7e]*$/)
      expect(toAscii(text)).toHaveLength(cellWidth(text))
    }
    expect(toAscii('╭─│▌█ é')).toBe('+-||# e')
  })
})

describe('cells', () => {
  test('cutting never leaves half a wide character', () => {
    expect(takeCells('漢字', 3)).toBe('漢')
    expect(cutCells('漢字漢', 5, '…')).toBe('漢字…')
    expect(cutCells('漢字漢', 4, '…')).toBe('漢…')
    expect(cutCells('abc', 3, '…')).toBe('abc')
    expect(cutCells('abc', 0, '…')).toBe('')
  })

  test('a base and its marks are one character', () => {
    expect(graphemes('e\u0301x')).toEqual(['e\u0301', 'x'])
  })

  test('wrapping breaks at spaces, or where it must, and cuts the last line', () => {
    expect(wrapCells('one two three', 8, 3, '…')).toEqual(['one two', 'three'])
    expect(wrapCells('x'.repeat(10), 4, 2, '…')).toEqual(['xxxx', 'xxx…'])
    expect(wrapCells('', 4, 2, '…')).toEqual([])
    expect(wrapCells('漢字', 1, 3, '…').length).toBeLessThanOrEqual(3)
  })
})

describe('lines', () => {
  test.each([0, 1, 2, 5, 6, 7, 20])('fit exactly %i cells', (cells) => {
    const line = [span('ab'), span('漢字', { fg: '31' }), span('c')]
    expect(lineWidth(fitLine(line, cells, theme))).toBe(cells)
  })

  test('the right end of a spread line is kept', () => {
    expect(textOf(spread([span('a long left part')], [span('12m')], 10, theme))).toBe('a long…12m')
    expect(textOf(spread([span('a')], [span('12m')], 10, theme))).toBe('a      12m')
    expect(textOf(spread([span('a')], [span('12345')], 3, theme))).toBe('12…')
  })

  test('colours go with NO_COLOR, other attributes stay', () => {
    const line = [span('x', { fg: '31', bg: '48', bold: true })]
    expect(paintLine(line, theme)).toBe('\u001b[1m\u001b[31m\u001b[48mx\u001b[0m')
    expect(paintLine(line, grey)).toBe('\u001b[1mx\u001b[0m')
    expect(paintLine([span('…')], ascii)).toBe('.')
  })

  test.each<[string, Line]>([
    [
      '\u001b[31mred\u001b[0m plain',
      [
        { text: 'red', style: { fg: '31' } },
        { text: ' plain', style: {} },
      ],
    ],
    ['\u001b[1;38;5;208mx', [{ text: 'x', style: { bold: true, fg: '38;5;208' } }]],
    ['\u001b[48;2;1;2;3;4mx', [{ text: 'x', style: { bg: '48;2;1;2;3', underline: true } }]],
    ['\u001b[38:2::1:2:3mx', [{ text: 'x', style: { fg: '38;2;1;2;3' } }]],
    ['\u001b[31;42;39mx', [{ text: 'x', style: { bg: '42' } }]],
    ['\u001b[38;5;999mx', [{ text: 'x', style: {} }]],
    ['\u001b[38;2;1mx', [{ text: 'x', style: {} }]],
    ['\u001b[58;5;1mx', [{ text: 'x', style: {} }]],
    ['a\u001b[2J\u001b[10;10Hb\u001b]0;t\u0007c', [{ text: 'abc', style: {} }]],
    [
      '\u001b[7ma\u001b[27mb',
      [
        { text: 'a', style: { inverse: true } },
        { text: 'b', style: { inverse: false } },
      ],
    ],
    ['', []],
  ])('a screen line %j keeps its colours only', (text, line) => {
    expect(parseScreenLine(text)).toEqual(line)
  })

  test('tabs go to the next eighth column', () => {
    expect(textOf(parseScreenLine('a\tb\u001b[31m\tc'))).toBe('a       b       c')
  })
})

describe('theme', () => {
  test.each([
    [{ LANG: 'de_DE.utf8' }, true, true],
    [{ LANG: 'C' }, true, false],
    [{}, true, false],
    [{ LC_CTYPE: 'en_US.UTF-8', LANG: 'C' }, true, true],
    [{ LANG: 'en_US.UTF-8', NO_COLOR: '' }, true, true],
    [{ LANG: 'en_US.UTF-8', NO_COLOR: '0' }, false, true],
    [{ LANG: 'en_US.UTF-8', TERM: 'linux' }, true, false],
    [{ LANG: 'en_US.UTF-8', TERM: 'dumb' }, false, false],
  ])('%j: colour %s, unicode %s', (env, colour, unicode) => {
    expect(themeFor(env)).toMatchObject({ colour, unicode })
  })
})
