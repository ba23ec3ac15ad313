import { describe, expect, test, vi } from 'vitest'
import { UsageError } from '../../src/domain/errors.js'
import { runDashboard } from '../../src/tui/run-dashboard.js'
import { FakeTerminal, widest } from './fake-terminal.js'
import { openDashboard } from './open-dashboard.js'
import { agent, ask, busyTown, merge, onBead, town } from './sample-town.js'

// Every wait has its own, shorter deadline that prints the screen.
vi.setConfig({ testTimeout: 20_000 })

const ESC = '\u001b'
const DOWN = '\u001b[B'
const UP = '\u001b[A'
const LEFT = '\u001b[D'

/** Line of the selected row. */
function selectedRow(screen: string): string {
  return screen.split('\n').find((line) => line.startsWith('▌')) ?? ''
}

describe('the town screen', () => {
  test('shows header, agents by need, the preview of the selected one and key hints', async () => {
    await using dashboard = await openDashboard(busyTown())
    const screen = await dashboard.terminal.shows('regression test')
    expect(screen.split('\n')[0]).toMatch(
      /^gastown .*◐2 ●4 ✓1 ○3 .*5 ready\/12 open · queue 2 · mail 3 .*\d\d:\d\d$/,
    )
    const headings = screen.split('\n').filter((line) => /^ [A-Z ]+ \(\d+\)$/.test(line))
    expect(headings).toEqual([' NEEDS INPUT (2)', ' WORKING (4)', ' READY FOR REVIEW (1)', ' THE REST (3)'])
    expect(selectedRow(screen)).toMatch(
      /^▌◐ waiting {2}proj\/toast +opencode proj-4k7q2 +Fix the redirect loop/,
    )
    expect(screen).toContain('─ proj/toast · opencode ')
    expect(screen.split('\n').at(-1)).toMatch(/^↵ attach · Space peek · i reply · n new .* \? help · q quit$/)
  })

  test('shows what the branch changed and how old the session is', async () => {
    await using dashboard = await openDashboard(busyTown())
    await dashboard.terminal.shows((screen) =>
      /proj\/nux +claude +proj-0d8fw +Paginate the audit log +\+120 −14 +1h/.test(screen),
    )
  })

  test('puts the preview beside the list on a wide terminal, with what each agent said last', async () => {
    await using dashboard = await openDashboard(busyTown(), { columns: 160, rows: 48 })
    const screen = await dashboard.terminal.shows('claude · Next I want to add')
    expect(screen).toContain('┬─ proj/toast · opencode')
    expect(screen).toMatch(/ready for review/)
    expect(screen).toContain('opencode · permission: run "npm install left-pad"?')
    expect(screen).toContain('─ Merge queue (2) ─')
    expect(screen).toMatch(/cv-login Login rewrite +█+▓+▒+░+ +4\/8 +50%/)
  })

  test('fits 60x16, and is laid out anew when the terminal changes', async () => {
    await using dashboard = await openDashboard(busyTown(), { columns: 60, rows: 16 })
    const { terminal } = dashboard
    const narrow = await terminal.shows('╰────')
    expect(widest(narrow.split('\n'))).toBe(60)
    expect(narrow).toContain('▌◐ waiting')
    expect(narrow).toContain('↓ 3')
    terminal.resize(200, 60)
    const wide = await terminal.shows('┬─ proj/toast')
    expect(widest(wide.split('\n'))).toBe(200)
    terminal.resize(30, 8)
    await terminal.shows('gt needs 40x10, this is 30x8')
    terminal.resize(100, 30)
    await terminal.shows('NEEDS INPUT')
  })

  test('says problems in plain words, and p shows them in full', async () => {
    const problems = [
      'the store holds 2 damaged lines',
      `the plugin of proj/nux failed: ${'x'.repeat(90)} end`,
    ]
    await using dashboard = await openDashboard({ ...busyTown(), problems }, { columns: 80, rows: 20 })
    const { terminal } = dashboard
    await terminal.shows((screen) => /⚠ the store holds 2 damaged lines .*\+1 p: all/.test(screen))
    terminal.type('p')
    await terminal.shows((screen) => screen.includes('Problems (2)') && screen.includes(' end'))
    terminal.type('q')
    await terminal.shows('Agents (10)')
  })

  test('explains an empty town and names the next command', async () => {
    await using dashboard = await openDashboard(
      town({ beads: { ready: 1, open: 1, hooked: 0, inReview: 0, closed: 0 } }),
      { columns: 60, rows: 16 },
    )
    const screen = await dashboard.terminal.shows('No agents yet.')
    expect(screen).toContain('1 bead is ready to be worked on.')
    expect(screen).toContain('gt sling "fix the login page" PROJECT')
    dashboard.terminal.type('jkgGiD \r')
    dashboard.terminal.type('n')
    await dashboard.terminal.shows('new work ❯')
    expect(dashboard.calls).toEqual([])
  })

  test('waits for the first view in words, and q works already', async () => {
    const dashboard = await openDashboard(undefined)
    await dashboard.terminal.shows('Reading the town')
    dashboard.terminal.type('q')
    expect(await dashboard.ended).toEqual({ kind: 'quit' })
  })
})

describe('moving', () => {
  test('j k g G and the arrows move the selection and its preview', async () => {
    await using dashboard = await openDashboard(busyTown())
    const { terminal } = dashboard
    const at = (id: string) => terminal.shows((screen) => selectedRow(screen).includes(id))
    await at('proj/toast')
    terminal.type('j')
    await at('infra/dag')
    terminal.type(DOWN)
    await at('proj/cheedo')
    terminal.type('k')
    await at('infra/dag')
    terminal.type(UP)
    await at('proj/toast')
    terminal.type(UP)
    terminal.type('G')
    await at('proj/ann')
    terminal.type('jg')
    await at('proj/toast')
    terminal.type('jjj')
    await at('infra/slit')
    await terminal.shows('─ infra/slit · codex')
  })

  test('the selection stays with its agent when the town changes, and moves to the neighbour when it goes', async () => {
    const before = busyTown()
    await using dashboard = await openDashboard(before)
    const { terminal } = dashboard
    terminal.type('jj')
    await terminal.shows((screen) => selectedRow(screen).includes('proj/cheedo'))
    const agents = before.agents.map((a) =>
      a.id === 'proj/cheedo' ? { ...a, state: 'waiting' as const } : a,
    )
    dashboard.show({ ...before, agents })
    await terminal.shows((screen) => selectedRow(screen).includes('waiting  proj/cheedo'))
    dashboard.show({ ...before, agents: agents.filter((a) => a.id !== 'proj/cheedo') })
    await terminal.shows((screen) => !screen.includes('proj/cheedo'))
    await terminal.shows((screen) => /proj\/toast|infra\/dag/.test(selectedRow(screen)))
  })

  test('a list longer than the screen scrolls with the selection', async () => {
    const agents = Array.from({ length: 40 }, (_, i) => agent(`proj/a${String(i).padStart(2, '0')}`))
    await using dashboard = await openDashboard(town({ agents }), { columns: 80, rows: 20 })
    dashboard.terminal.type('G')
    const screen = await dashboard.terminal.shows((text) => selectedRow(text).includes('proj/a39'))
    expect(screen).toMatch(/Agents \(40\) ─+ ↑ \d+ ─/)
  })
})

describe('filter', () => {
  test('filters live, keeps with Enter, clears with Esc', async () => {
    await using dashboard = await openDashboard(busyTown())
    const { terminal } = dashboard
    terminal.type('/')
    await terminal.shows('filter ❯')
    terminal.type('co')
    terminal.type('dex')
    const found = await terminal.shows('Agents (2 of 10 match "codex")')
    expect(found).not.toContain('proj/nux')
    terminal.type('\r')
    await terminal.shows('q quit')
    terminal.type('j')
    await terminal.shows((screen) => selectedRow(screen).includes('infra/slit'))
    terminal.type(ESC)
    await terminal.shows('Agents (10)')
    terminal.type('/zzz')
    await terminal.shows('No agent matches')
    terminal.type(ESC)
    await terminal.shows('Agents (10)')
  })

  test('letters that are commands are only text while one types', async () => {
    await using dashboard = await openDashboard(busyTown())
    dashboard.terminal.type('/')
    await dashboard.terminal.shows('filter ❯')
    dashboard.terminal.type('qD?')
    await dashboard.terminal.shows('filter ❯ qD?')
    expect(dashboard.calls).toEqual([])
  })
})

describe('peek', () => {
  const long = Array.from({ length: 100 }, (_, i) => `line ${i}`)

  test('Space shows the whole screen, scrolls, follows the newest line, and Space closes it', async () => {
    await using dashboard = await openDashboard(busyTown(), { source: { preview: async () => long } })
    const { terminal } = dashboard
    await terminal.shows('line 99')
    terminal.type(' ')
    await terminal.shows((screen) => /─ proj\/toast ─+ newest ─/.test(screen) && screen.includes('line 74\n'))
    terminal.type('kk')
    await terminal.shows((screen) => screen.includes('↑ 2 lines below') && !screen.includes('line 98'))
    terminal.type('g')
    await terminal.shows('line 0\n')
    terminal.type('G')
    await terminal.shows('newest')
    terminal.type(' ')
    await terminal.shows('Agents (10)')
  })

  test('reply and attach work from there; q leads back', async () => {
    await using dashboard = await openDashboard(busyTown())
    const { terminal } = dashboard
    terminal.type('j ')
    await terminal.shows((screen) => /─ infra\/dag ─+ newest/.test(screen))
    terminal.type('igo on\r')
    await terminal.shows('done: reply infra/dag go on')
    terminal.type('q')
    await terminal.shows('Agents (10)')
  })

  test('an agent without a screen says why', async () => {
    const preview = async () => {
      throw new Error('agent proj/toast has no pane')
    }
    await using dashboard = await openDashboard(busyTown(), { source: { preview } })
    await dashboard.terminal.shows('no screen: agent proj/toast has no pane')
  })
})

describe('reply', () => {
  test('Enter sends the edited line and shows the receipt', async () => {
    await using dashboard = await openDashboard(busyTown())
    const { terminal } = dashboard
    terminal.type('i')
    await terminal.shows('reply to proj/toast ❯   Enter sends, Esc cancels')
    terminal.type('yse')
    await terminal.shows('❯ yse')
    terminal.type(`${LEFT}${LEFT}`)
    terminal.type('e')
    await terminal.shows('❯ yese')
    terminal.type('\u001b[C')
    terminal.type('\u001b[C')
    terminal.type('\u007f')
    terminal.type('\r')
    await terminal.shows('done: reply proj/toast yes')
    terminal.type('j')
    await terminal.shows('q quit')
  })

  test('Esc cancels; nothing is sent', async () => {
    await using dashboard = await openDashboard(busyTown())
    dashboard.terminal.type('ihello')
    await dashboard.terminal.shows('❯ hello')
    dashboard.terminal.type(ESC)
    await dashboard.terminal.shows('q quit')
    expect(dashboard.calls).toEqual([])
  })

  test('an error is shown with its hint, and the text is there again', async () => {
    const reply = async () => {
      throw new UsageError('the text is too long', { code: 'text-too-long', hint: 'gt mail send proj/toast' })
    }
    await using dashboard = await openDashboard(busyTown(), { source: { reply } })
    const { terminal } = dashboard
    terminal.type('ihello there\r')
    await terminal.shows('✕ the text is too long (gt mail send proj/toast)')
    terminal.type('i')
    await terminal.shows('reply to proj/toast ❯ hello there')
  })

  test('a pasted line break does not send', async () => {
    await using dashboard = await openDashboard(busyTown())
    const { terminal } = dashboard
    terminal.type('i')
    await terminal.shows('reply to')
    terminal.type('\u001b[200~one\rtwo\u001b[201~')
    await terminal.shows('❯ one two')
    expect(dashboard.calls).toEqual([])
  })

  test('says what it does while it takes its time', async () => {
    let finish = (_receipt: string) => {}
    const reply = () => new Promise<string>((resolve) => (finish = resolve))
    await using dashboard = await openDashboard(busyTown(), { source: { reply } })
    dashboard.terminal.type('ihello\r')
    await dashboard.terminal.shows('… sending to proj/toast')
    finish('accepted')
    await dashboard.terminal.shows('✓ accepted')
  })
})

describe('new and stop', () => {
  test('n hands the words to sling', async () => {
    await using dashboard = await openDashboard(busyTown())
    dashboard.terminal.type('n')
    await dashboard.terminal.shows('new work ❯   issue-123 proj, or "fix the login page" proj')
    dashboard.terminal.type('issue-123 proj\r')
    await dashboard.terminal.shows('done: sling issue-123 proj')
  })

  test('D asks first: y stops, anything else does not', async () => {
    await using dashboard = await openDashboard(busyTown())
    const { terminal } = dashboard
    terminal.type('D')
    await terminal.shows((screen) => /Stop proj\/toast\?.* \[y\/N\]/.test(screen))
    terminal.type('\r')
    await terminal.shows('q quit')
    expect(dashboard.calls).toEqual([])
    terminal.type('D')
    await terminal.shows('[y/N]')
    terminal.type('y')
    await terminal.shows('done: stop proj/toast')
  })
})

describe('merge queue, convoys, help', () => {
  test('m lists the queue and what was merged; r retries the selected entry', async () => {
    await using dashboard = await openDashboard(busyTown())
    const { terminal } = dashboard
    terminal.type('m')
    const screen = await terminal.shows('Merge queue (2 entries)')
    expect(screen).toMatch(/▌◐ waiting +proj-4k7q2 +proj\/toast +try 2 · the checkout .* 7m/)
    expect(screen).toMatch(/RECENTLY MERGED\n ✓ merged +infra-6yy3k .*77aa01c4f0 on main +31m/)
    expect(screen).toContain('the checkout of proj has uncommitted changes in package.json')
    expect(screen).toContain(' M package.json')
    terminal.type('r')
    await terminal.shows('done: retry merge:m-12')
    terminal.type('j')
    await terminal.shows((text) => selectedRow(text).includes('running'))
    terminal.type('G')
    await terminal.shows((text) => selectedRow(text).includes('proj-1aa0b'))
    terminal.type('r')
    await terminal.shows('it is merged already')
    terminal.type('m')
    await terminal.shows('Agents (10)')
    expect(dashboard.calls).toEqual(['retry merge:m-12'])
  })

  test('an empty queue says so', async () => {
    await using dashboard = await openDashboard(town({ agents: [agent('proj/nux')] }))
    dashboard.terminal.type('mr')
    await dashboard.terminal.shows('the merge queue is empty')
  })

  test('c shows convoys with bars, the selected one with its beads', async () => {
    await using dashboard = await openDashboard(busyTown())
    const { terminal } = dashboard
    terminal.type('c')
    const screen = await terminal.shows('Convoys (2)')
    expect(screen).toMatch(/▌cv-login Login rewrite +█{13}▓{3}▒{6}░{3} +4\/8 +50%/)
    expect(screen).toMatch(/◐ in review +proj-9mm2x +Rate-limit password attempts · proj\/capable/)
    terminal.type('j')
    await terminal.shows((text) => selectedRow(text).includes('cv-cost') && text.includes('infra-22k1p'))
    terminal.type(ESC)
    await terminal.shows('Agents (10)')
  })

  test('? lists every key and what the glyphs mean', async () => {
    await using dashboard = await openDashboard(busyTown(), { columns: 60, rows: 16 })
    const { terminal } = dashboard
    terminal.type('?')
    const top = await terminal.shows('Help')
    for (const key of ['j k', 'g G', 'Enter', 'Space', 'i ', 'n ', 'D ', 'm ', 'c ', 'p ', '/ '])
      expect(top).toContain(`\n  ${key}`)
    terminal.type('G')
    await terminal.shows('⏸ stopped')
    terminal.type('q')
    await terminal.shows('Agents (10)')
  })
})

describe('attach', () => {
  test('gives the terminal away and takes it back', async () => {
    let comeBack = () => {}
    const seen: string[] = []
    const attach = (agentId: string) =>
      new Promise<void>((resolve) => {
        const { isAlternate, isRaw } = dashboard.terminal
        seen.push(`${agentId} alternate:${isAlternate} raw:${isRaw}`)
        comeBack = resolve
        left()
      })
    let left = () => {}
    const away = new Promise<void>((resolve) => (left = resolve))
    await using dashboard = await openDashboard(busyTown(), { source: { attach } })
    const { terminal } = dashboard
    terminal.type('j')
    await terminal.shows((screen) => selectedRow(screen).includes('infra/dag'))
    terminal.type('\r')
    await away
    expect(seen).toEqual(['infra/dag alternate:false raw:false'])
    const written = terminal.written.length
    dashboard.show({ ...busyTown(), name: 'renamed' })
    expect(terminal.written.length).toBe(written)
    comeBack()
    await terminal.shows('renamed')
    expect([terminal.isAlternate, selectedRow(terminal.text).includes('infra/dag')]).toEqual([true, true])
    terminal.type('k')
    await terminal.shows((screen) => selectedRow(screen).includes('proj/toast'))
  })

  test('a failure is shown, and the dashboard goes on', async () => {
    const attach = async () => {
      throw new Error('no session of proj/toast')
    }
    await using dashboard = await openDashboard(busyTown(), { source: { attach } })
    dashboard.terminal.type('\r')
    await dashboard.terminal.shows('✕ no session of proj/toast')
  })
})

describe('what the terminal can show', () => {
  test('NO_COLOR: attributes, but no colours, not even those of the agent', async () => {
    const env = { LANG: 'C.UTF-8', TERM: 'xterm', NO_COLOR: '1' }
    await using dashboard = await openDashboard(busyTown(), { env })
    await dashboard.terminal.shows('regression test')
    const codes = new Set(
      [...dashboard.terminal.written.matchAll(/\u001b\[([0-9;]*)m/g)].map((match) => match[1]),
    )
    expect([...codes].filter((code) => !['0', '1', '2', '7', '22', '27'].includes(code ?? ''))).toEqual([])
    expect(codes.has('7')).toBe(true)
  })

  test('with colour, the agent keeps its own', async () => {
    await using dashboard = await openDashboard(busyTown())
    await dashboard.terminal.shows('41 passed')
    expect(dashboard.terminal.paintedLines.join('\n')).toContain('\u001b[38;5;245m')
  })

  test.each([
    ['a locale without UTF-8', { LANG: 'C', TERM: 'xterm' }],
    ['LC_ALL wins over LANG', { LC_ALL: 'POSIX', LANG: 'en_US.UTF-8', TERM: 'xterm' }],
    ['the Linux console', { LANG: 'en_US.UTF-8', TERM: 'linux' }],
    ['a dumb terminal', { LANG: 'en_US.UTF-8', TERM: 'dumb' }],
  ])('%s gets ASCII only, in the same layout', async (_case, env) => {
    for (const [columns, rows] of [
      [100, 30],
      [160, 48],
    ] as const) {
      await using dashboard = await openDashboard(busyTown(), { env, columns, rows })
      const screen = await dashboard.terminal.shows('regression test')
      expect(screen).toMatch(/^[\x20-\x7e\n]*$/)
      expect(screen).toContain('>? waiting  proj/toast')
      dashboard.terminal.type('c')
      expect(await dashboard.terminal.shows('Convoys (2)')).toMatch(/^[\x20-\x7e\n]*$/)
    }
  })
})

describe('hostile text', () => {
  const HOSTILE = [
    'a\u001b[2Jb\u001b]0;owned\u0007c\u001b[31md\u009b5me',
    'line\none\r\ntwo\ttabs\u2028three\u0000\u0008',
    '\u202e\u2066evil right to left \u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627',
    '漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字',
    '👩‍👩‍👧‍👦 👍🏽 🇩🇪 1️⃣ ❤️ family 🚀🚀🚀🚀🚀🚀🚀🚀🚀🚀🚀🚀🚀🚀🚀🚀🚀',
    `z\u0300${'\u0301'.repeat(200)}algo \ud800 lone \u{e0041}tag`,
    'x'.repeat(5_000),
  ]

  test.each(HOSTILE.map((text, index) => [index, text] as const))(
    'text %i breaks no row on any screen',
    async (_index, text) => {
      const view = {
        ...busyTown(),
        name: text,
        agents: [
          agent('proj/toast', {
            ...onBead('proj/toast', 'proj-1', text),
            state: 'waiting',
            detail: text,
            runtime: text.slice(0, 20),
          }),
          agent('proj/zz', onBead('proj/zz', 'proj-2', 'plain title')),
        ],
        convoys: busyTown().convoys.map((convoy) => ({ ...convoy, title: text })),
        queue: [merge('m-1', { status: 'waiting', reason: text, evidence: `${text}\nmore` })],
        problems: [text],
      }
      const source = { preview: async () => [text, 'the end'] }
      for (const [columns, rows] of [
        [60, 16],
        [100, 30],
        [160, 48],
      ] as const) {
        await using dashboard = await openDashboard(view, { columns, rows, source })
        const { terminal } = dashboard
        await terminal.shows('the end')
        for (const [key, shown] of [
          ['', 'plain title'],
          ['p', 'Problems'],
          [`${ESC}`, 'Agents'],
          ['m', 'Merge queue'],
          ['q', 'Agents'],
          ['c', 'Convoys'],
          ['q', 'Agents'],
          [' ', 'newest'],
        ] as const) {
          if (key !== '') terminal.type(key)
          const screen = await terminal.shows(shown)
          expect(widest(screen.split('\n'))).toBeLessThanOrEqual(columns)
          expect(screen).not.toMatch(/[\u200b-\u200f\u2028-\u202e\u2066-\u2069]/)
        }
      }
    },
  )

  test('ages and borders stay in their columns beside wide titles', async () => {
    const agents = HOSTILE.map((title, i) => agent(`proj/a${i}`, onBead(`proj/a${i}`, `b-${i}`, title)))
    await using dashboard = await openDashboard(town({ agents }), { columns: 160, rows: 40 })
    const screen = await dashboard.terminal.shows('+120 −14')
    const body = screen.split('\n').slice(2, -1)
    const { cellWidth } = await import('../../src/tui/cells.js')
    expect(new Set(body.map((line) => cellWidth(line.slice(0, line.indexOf('│')))))).toEqual(new Set([77]))
  })
})

describe('leaving', () => {
  test('q restores the terminal and stops watching', async () => {
    const dashboard = await openDashboard(busyTown())
    await dashboard.terminal.shows('Agents (10)')
    expect([dashboard.terminal.isAlternate, dashboard.terminal.isRaw]).toEqual([true, true])
    dashboard.terminal.type('q')
    expect(await dashboard.ended).toEqual({ kind: 'quit' })
    expect([dashboard.terminal.isAlternate, dashboard.terminal.isRaw, dashboard.isWatched()]).toEqual([
      false,
      false,
      false,
    ])
    expect(dashboard.terminal.written.endsWith('\u001b[?25h\u001b[?1049l')).toBe(true)
  })

  test('Ctrl-C quits from anywhere, also out of a prompt', async () => {
    const dashboard = await openDashboard(busyTown())
    dashboard.terminal.type('ihalf a sent')
    await dashboard.terminal.shows('half a sent')
    dashboard.terminal.type('\u0003')
    expect(await dashboard.ended).toEqual({ kind: 'quit' })
  })

  test('a terminal that hangs up ends it', async () => {
    const dashboard = await openDashboard(busyTown())
    await dashboard.terminal.shows('Agents (10)')
    dashboard.terminal.stdin.push(null)
    expect(await dashboard.ended).toEqual({ kind: 'quit' })
  })

  test('a source that cannot be watched is an error on the screen', async () => {
    const watch = () => {
      throw new Error('the store is locked')
    }
    await using dashboard = await openDashboard(undefined, { source: { watch } })
    await dashboard.terminal.shows('the store is locked')
  })

  test('without a terminal it refuses', async () => {
    const terminal = new FakeTerminal(80, 24)
    Object.defineProperty(terminal.stdin, 'isTTY', { value: false })
    const dashboard = await openDashboard(town())
    await dashboard[Symbol.asyncDispose]()
    const source = { watch: () => () => {} } as unknown as Parameters<typeof runDashboard>[0]
    const { stdin, stdout } = terminal
    await expect(runDashboard(source, { stdin, stdout, stderr: stdout, env: {} })).rejects.toMatchObject({
      code: 'no-terminal',
    })
    expect(terminal.written).toBe('')
  })
})

describe('what it costs', () => {
  test('an unchanged town writes nothing; a changed one only its lines', async () => {
    await using dashboard = await openDashboard(busyTown())
    const { terminal } = dashboard
    await terminal.shows(
      (screen) =>
        screen.includes('1h') &&
        screen.includes('regression test') &&
        (screen.match(/\+120/g)?.length ?? 0) >= 8,
    )
    const before = terminal.written.length
    dashboard.show({ ...busyTown(), unreadForHuman: 4 })
    await terminal.shows('mail 4')
    const written = terminal.written.slice(before)
    expect([...written.matchAll(/\u001b\[(\d+);1H/g)].map((match) => match[1])).toEqual(['1'])
    expect(written).not.toContain('\u001b[2J')
  })

  test('many views at once ask for one more preview, not for many', async () => {
    await using dashboard = await openDashboard(busyTown(), { rows: 30 })
    await dashboard.terminal.shows('regression test')
    const selected = () =>
      dashboard.previews.filter(({ agentId, lines }) => agentId === 'proj/toast' && lines === 30).length
    expect(selected()).toBe(1)
    for (let i = 0; i < 50; i++) dashboard.show({ ...busyTown(), unreadForHuman: i })
    await dashboard.terminal.shows('mail 49')
    expect(selected()).toBeLessThanOrEqual(2)
  })

  test('nothing is previewed on a screen without one', async () => {
    await using dashboard = await openDashboard(town({ agents: [agent('proj/nux', { location: '' })] }))
    const { terminal } = dashboard
    await terminal.shows('regression test')
    terminal.type('c')
    await terminal.shows('No open convoys')
    const before = dashboard.previews.length
    dashboard.show(town({ name: 'other', agents: [agent('proj/nux', { location: '' })] }))
    terminal.type('q')
    await terminal.shows('other')
    expect(dashboard.previews.length - before).toBeLessThanOrEqual(1)
  })
})

describe('what agents ask', () => {
  const question = ask('q-2', 'infra/dag', {
    kind: 'question',
    tool: 'question',
    patterns: [],
    questions: ['Tea or coffee?'],
    options: [['Tea', 'Coffee']],
    isSubagent: true,
  })
  const asking = () => ({ ...busyTown(), asks: [ask('q-1', 'proj/toast'), question] })

  test('is on top, and one key answers that of the selected agent', async () => {
    await using dashboard = await openDashboard(asking(), { columns: 120, rows: 30 })
    const { terminal, calls } = dashboard
    const screen = await terminal.shows('npm install left-pad')
    const [, first, second] = screen.split('\n')
    expect(first).toMatch(
      /^▌◐ proj\/toast +bash: npm install left-pad +a allow {2}A always {2}d deny {2}t text {2}4m$/,
    )
    expect(second).toMatch(/^ ◐ infra\/dag +Tea or coffee\? \(a subagent\) +4m$/)
    expect(screen.split('\n').at(-1)).toMatch(/^a allow · A always · d deny · t answer in words/)
    for (const [key, words] of [
      ['a', 'allow'],
      ['A', 'always'],
      ['d', 'deny'],
    ] as const) {
      terminal.type(key)
      await terminal.shows(`done: answer q-1 ${words}`)
    }
    terminal.type('1')
    terminal.type(DOWN)
    await terminal.shows('1 Tea  2 Coffee  t text  d no answer')
    terminal.type('3')
    terminal.type('2')
    await terminal.shows('done: answer q-2 2')
    expect(calls).toEqual(['answer q-1 allow', 'answer q-1 always', 'answer q-1 deny', 'answer q-2 2'])
  })

  test('is answered in words, which stay when they could not be delivered', async () => {
    let tries = 0
    const answer = async (id: string, words: string) => {
      tries += 1
      if (tries === 1) throw new UsageError(`${id} is not there yet`, { code: 'x' })
      return `told ${words}`
    }
    await using dashboard = await openDashboard(asking(), { source: { answer } })
    const { terminal } = dashboard
    terminal.type('t')
    await terminal.shows('answer proj/toast ❯')
    terminal.type('use what is there')
    terminal.type('\r')
    await terminal.shows('q-1 is not there yet')
    terminal.type('t')
    await terminal.shows('answer proj/toast ❯ use what is there')
    terminal.type('\r')
    await terminal.shows('told use what is there')
  })

  test('is not asked by everybody: the key says who does', async () => {
    await using dashboard = await openDashboard({ ...busyTown(), asks: [question] })
    const { terminal, calls } = dashboard
    terminal.type('a')
    await terminal.shows('proj/toast asks nothing; infra/dag does')
    expect(calls).toEqual([])
  })

  test('that is answered already waits for its proof, and takes no second answer', async () => {
    const answered = ask('q-1', 'proj/toast', { status: 'answered', answeredBy: 'deadline' })
    await using dashboard = await openDashboard({ ...busyTown(), asks: [answered] })
    await dashboard.terminal.shows('answered by deadline, not confirmed 4m')
    dashboard.terminal.type('a')
    await dashboard.terminal.shows('proj/toast asks nothing')
  })

  test('leaves room for the town when there is much of it', async () => {
    const asks = Array.from({ length: 20 }, (_, i) => ask(`q-${i}`, i === 15 ? 'proj/toast' : 'proj/nux'))
    await using dashboard = await openDashboard({ ...busyTown(), asks }, { columns: 100, rows: 30 })
    const screen = await dashboard.terminal.shows('+16 gt asks')
    const rows = screen.split('\n').slice(1, 5)
    expect(rows.some((row) => row.startsWith('▌◐ proj/toast'))).toBe(true)
  })
})
