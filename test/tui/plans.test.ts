import { afterEach, describe, expect, test, vi } from 'vitest'
import {
  errorText,
  formatAge,
  formatCount,
  formatDiff,
  lastTelling,
  progressCells,
} from '../../src/tui/format.js'
import { filterAgents, groupAgents, needOf } from '../../src/tui/group-agents.js'
import { firstFitting, planColumns, planList, planTown, scrollTop } from '../../src/tui/layout.js'
import { editInput, inputText, inputWindow, insertText, lineInput } from '../../src/tui/line-input.js'
import { paceTask } from '../../src/tui/pace-task.js'
import { activityOf, planFetch } from '../../src/tui/plan-fetch.js'
import { pressKey } from '../../src/tui/press-key.js'
import { anchored, lineChanges, openTerminal } from '../../src/tui/terminal.js'
import { themeFor } from '../../src/tui/theme.js'
import { followAgents, type Key, START, type Surroundings, type UiState } from '../../src/tui/ui-state.js'
import { FakeTerminal } from './fake-terminal.js'
import { agent, busyTown, minutesAgo, NOW, onBead } from './sample-town.js'

const theme = themeFor({ LANG: 'C.UTF-8' })

describe('format', () => {
  test.each([
    [0, '<1m'],
    [1, '1m'],
    [59, '59m'],
    [60, '1h'],
    [1439, '23h'],
    [1440, '1d'],
    [9_999_999, '999d'],
    [-5, '<1m'],
  ])('%i minutes ago is %s', (minutes, age) => {
    expect(formatAge(minutesAgo(minutes), NOW)).toBe(age)
  })

  test('an unknown time has no age', () => {
    expect([formatAge(undefined, NOW), formatAge('soon', NOW)]).toEqual(['', ''])
  })

  test.each([
    [0, '0'],
    [999, '999'],
    [1000, '1.0k'],
    [99_949, '99.9k'],
    [150_000, '150k'],
    [999_950, '1.0M'],
  ])('%i is %s', (count, text) => {
    expect(formatCount(count)).toBe(text)
  })

  test('no change is no text', () => {
    expect(formatDiff({ added: 0, removed: 0, commits: 1 }, theme)).toBe('')
    expect(formatDiff({ added: 1, removed: 2000, commits: 1 }, theme)).toBe('+1 −2.0k')
  })

  test.each([
    [{ total: 8, closed: 4, inReview: 1, hooked: 2, open: 1 }, 8],
    [{ total: 100, closed: 99, inReview: 1, hooked: 0, open: 0 }, 10],
    [{ total: 400, closed: 397, inReview: 1, hooked: 1, open: 1 }, 10],
    [{ total: 0, closed: 0, inReview: 0, hooked: 0, open: 0 }, 10],
    [{ total: 3, closed: 0, inReview: 0, hooked: 0, open: 3 }, 7],
    [{ total: 4, closed: 1, inReview: 1, hooked: 1, open: 1 }, 3],
  ])('the parts of a bar of %j fill %i cells', (progress, cells) => {
    const { closed, inReview, hooked, open } = progressCells(progress, cells)
    expect(closed + inReview + hooked + open).toBe(cells)
    expect(Math.min(closed, inReview, hooked, open)).toBeGreaterThanOrEqual(0)
    if (cells >= 8) expect(inReview > 0).toBe(progress.inReview > 0)
  })

  test('the last telling line skips boxes, prompts and colours', () => {
    expect(lastTelling(['● Running tests', '╭───╮', '│ >  │', '╰───╯', '\u001b[31m\u001b[0m', ''])).toBe(
      'Running tests',
    )
    expect(lastTelling(['───'])).toBe('')
  })

  test('an error brings its hint', () => {
    expect(errorText(Object.assign(new Error('no agent x'), { hint: 'gt agents' }))).toBe(
      'no agent x (gt agents)',
    )
    expect(errorText('plain')).toBe('plain')
  })
})

describe('grouping', () => {
  test.each([
    [{ state: 'waiting' }, 'input'],
    [{ state: 'failed' }, 'input'],
    [{ state: 'stalled' }, 'input'],
    [{ state: 'unknown' }, 'input'],
    [{ state: 'starting' }, 'working'],
    [{ state: 'working' }, 'working'],
    [{ state: 'idle' }, 'rest'],
    [{ state: 'limited' }, 'rest'],
    [{ state: 'done' }, 'rest'],
    [{ state: 'stopped' }, 'rest'],
  ] as const)('%j needs %s', (over, need) => {
    expect(needOf(agent('p/a', over))).toBe(need)
  })

  test('work in the merge queue is ready for review, unless its agent waits or works', () => {
    const inReview = onBead('p/a', 'b', 't', 'in_review')
    expect(needOf(agent('p/a', { ...inReview, state: 'failed' }))).toBe('review')
    expect(needOf(agent('p/a', { ...inReview, state: 'idle' }))).toBe('review')
    expect(needOf(agent('p/a', { ...inReview, state: 'waiting' }))).toBe('input')
    expect(needOf(agent('p/a', { ...inReview, state: 'working' }))).toBe('working')
  })

  test('empty groups are left out; within one, order is by state, then id', () => {
    const groups = groupAgents([agent('p/z'), agent('p/a'), agent('p/b', { state: 'starting' })])
    expect(groups.map((group) => [group.need, group.agents.map((a) => a.id)])).toEqual([
      ['working', ['p/b', 'p/a', 'p/z']],
    ])
  })

  test('a filter matches all its words in anything shown', () => {
    const { agents } = busyTown()
    const ids = (filter: string) => filterAgents(agents, filter).map((a) => a.id)
    expect(ids('CODEX infra')).toEqual(['infra/slit', 'infra/dag'])
    expect(ids('ready for')).toEqual(['proj/capable'])
    expect(ids('redirect')).toEqual(['proj/toast'])
    expect(ids('   ')).toHaveLength(10)
  })
})

describe('layout', () => {
  const sizes = [
    [40, 10],
    [60, 16],
    [80, 24],
    [100, 30],
    [119, 20],
    [120, 12],
    [160, 48],
    [200, 60],
  ] as const
  test.each(sizes)('%ix%i is filled exactly, whatever there is to show', (columns, rows) => {
    for (const agents of [0, 1, 10, 200]) {
      for (const problems of [0, 1, 9]) {
        for (const [bottom, asks] of [
          [1, 0],
          [3, 0],
          [1, 2],
          [3, 9],
        ] as const) {
          const plan = planTown(
            { columns, rows },
            { agents, groups: Math.min(agents, 4), asks, problems, bottom, extras: 6 },
          )
          const { list, panel, extras } = plan
          const parts = plan.kind === 'beside' ? [1 + panel.height] : [1 + list.height, 1 + panel.height]
          expect(1 + plan.asks + plan.problems + parts.reduce((a, b) => a + b) + bottom).toBe(rows)
          expect(Math.min(list.height, panel.height)).toBeGreaterThan(0)
          if (plan.kind === 'beside')
            expect([list.height + extras.height, list.width + 1 + panel.width]).toEqual([
              panel.height,
              columns,
            ])
        }
      }
    }
  })

  test.each([40, 60, 80, 100, 130, 170, 200])('the columns of a row add up to %i cells', (width) => {
    for (const lines of [1, 2] as const) {
      const c = planColumns(width, { agent: 40, runtime: 30, beadId: 30, diff: 13 }, lines)
      const optional = [c.agent, c.runtime, c.branch, c.said, c.diff].filter((cells) => cells > 0)
      expect(12 + c.bead + 1 + c.age + optional.reduce((sum, cells) => sum + cells + 1, 0)).toBe(width)
      expect(c.beadId).toBeLessThanOrEqual(c.bead)
      expect(c.bead).toBeGreaterThanOrEqual(12)
    }
  })

  test('a list has as many lines per agent as fit', () => {
    expect(planList(30, 80, { agents: 10, groups: 3 })).toEqual({ linesPerAgent: 2, headings: true })
    expect(planList(20, 80, { agents: 10, groups: 3 })).toEqual({ linesPerAgent: 1, headings: true })
    expect(planList(11, 80, { agents: 10, groups: 3 })).toEqual({ linesPerAgent: 1, headings: false })
    expect(planList(11, 80, { agents: 50, groups: 3 })).toEqual({ linesPerAgent: 1, headings: true })
  })

  test('scrolling keeps the selection in sight and the ends at the ends', () => {
    expect([
      scrollTop(5, 10, 4),
      scrollTop(100, 10, 0),
      scrollTop(100, 10, 99),
      scrollTop(100, 10, 50),
    ]).toEqual([0, 0, 90, 46])
  })

  test('the first that fits, else the last', () => {
    expect(firstFitting(['long', 'mid', 's'], (text) => text.length, 3)).toBe('mid')
    expect(firstFitting(['long', 'mid'], (text) => text.length, 1)).toBe('mid')
  })
})

describe('a text field', () => {
  test('edits by character as one sees it', () => {
    let input = insertText(lineInput(), 'ab漢👩‍👩‍👧')
    expect(input.characters).toHaveLength(4)
    input = editInput(input, 'erase')
    input = editInput(editInput(input, 'left'), 'left')
    expect(inputText(insertText(input, 'X'))).toBe('aXb漢')
    expect(inputText(editInput(input, 'erase-next'))).toBe('a漢')
    expect(inputText(editInput(input, 'erase-after'))).toBe('a')
    expect(inputText(editInput(input, 'erase-before'))).toBe('b漢')
    expect(editInput(editInput(input, 'home'), 'left').at).toBe(0)
    expect(editInput(editInput(input, 'end'), 'right').at).toBe(3)
    expect(inputText(editInput(lineInput('one two  '), 'erase-word'))).toBe('one ')
  })

  test('shows the part around the cursor', () => {
    const input = lineInput('abcdefghij')
    expect(inputWindow(input, 5)).toEqual({ before: 'ghij', under: ' ', after: '' })
    expect(inputWindow({ ...input, at: 0 }, 5)).toEqual({ before: '', under: 'a', after: 'bcde' })
    expect(inputWindow({ ...input, at: 5 }, 5)).toEqual({ before: 'bcde', under: 'f', after: '' })
  })
})

describe('keys', () => {
  const around: Surroundings = {
    agents: ['a', 'b', 'c'],
    queue: [],
    convoys: 0,
    asks: [],
    hasProblems: false,
    page: 2,
    scrollable: 0,
  }
  const press = (state: UiState, ...keys: Key[]) =>
    keys.reduce((step, key) => pressKey(step.state, key, around), { state } as ReturnType<typeof pressKey>)
  const letter = (text: string): Key => ({ kind: 'text', text })

  test('pages move by what a page holds', () => {
    expect(press(START, { kind: 'page-down' }).state.selected).toBe('c')
    expect(press(START, letter('G'), { kind: 'ctrl', letter: 'u' }).state.selected).toBe('a')
  })

  test('before the first view keys only quit', () => {
    expect(pressKey(START, letter('n'), undefined)).toEqual({ state: START })
    expect(pressKey(START, letter('q'), undefined).effect).toEqual({ kind: 'quit' })
  })

  test('a message goes with the next key, a busy one stays', () => {
    const said = (kind: 'done' | 'busy') =>
      press({ ...START, message: { kind, text: 'x' } }, letter('j')).state.message
    expect([said('done'), said('busy')?.text]).toEqual([undefined, 'x'])
  })

  test('an empty reply is not sent', () => {
    expect(press(START, letter('i'), letter(' '), { kind: 'enter' }).effect).toBeUndefined()
  })

  test('p opens nothing without problems; Ctrl-L draws again', () => {
    expect(press(START, letter('p')).state.screen.kind).toBe('town')
    expect(press(START, { kind: 'ctrl', letter: 'l' }).effect).toEqual({ kind: 'repaint' })
  })

  test('a selection follows its agent, else goes to who took its place', () => {
    const state = { ...START, selected: 'b' }
    expect(followAgents(state, ['a', 'b', 'c'], ['c', 'b']).selected).toBe('b')
    expect(followAgents(state, ['a', 'b', 'c'], ['a', 'c']).selected).toBe('c')
    expect(followAgents(state, ['a', 'b'], ['a']).selected).toBe('a')
    expect(followAgents(state, ['b'], [])).not.toHaveProperty('selected')
  })
})

describe('asking for facts', () => {
  const a = agent('p/a', onBead('p/a', 'b-1', 't'))

  test('first everything once, in order; then nothing until something happens', () => {
    const first = planFetch([a], new Map(), NOW)
    expect(first).toMatchObject({ kind: 'screen', agent: a })
    const known = { saidFor: activityOf(a), saidAt: NOW }
    expect(planFetch([a], new Map([['p/a', known]]), NOW)).toMatchObject({ kind: 'diff' })
    const both = { ...known, diffFor: activityOf(a), diffAt: NOW }
    expect(planFetch([a], new Map([['p/a', both]]), NOW + 60_000)).toEqual({ kind: 'nothing' })
  })

  test('an agent that is always active is asked every few seconds only', () => {
    const facts = { saidFor: 'old', saidAt: NOW, diffFor: 'old', diffAt: NOW }
    expect(planFetch([a], new Map([['p/a', facts]]), NOW + 1_000)).toEqual({ kind: 'wait', ms: 4_000 })
    expect(planFetch([a], new Map([['p/a', facts]]), NOW + 5_000)).toMatchObject({ kind: 'screen' })
  })

  test('who has no screen and no branch is never asked', () => {
    expect(
      planFetch([agent('p/a', { location: '' }), agent('p/b', { state: 'stopped' })], new Map(), NOW),
    ).toEqual({ kind: 'nothing' })
  })
})

describe('a paced task', () => {
  afterEach(() => {
    vi.useRealTimers()
  })

  test('runs at once, then at most once per interval, and not twice at a time', async () => {
    vi.useFakeTimers()
    let runs = 0
    let finish = () => {}
    const task = paceTask(() => {
      runs++
      return new Promise((resolve) => (finish = resolve))
    }, 500)
    task.request()
    task.request()
    task.request()
    expect(runs).toBe(1)
    await vi.advanceTimersByTimeAsync(2_000)
    expect(runs).toBe(1)
    finish()
    await vi.advanceTimersByTimeAsync(0)
    expect(runs).toBe(2)
    finish()
    await vi.advanceTimersByTimeAsync(499)
    task.request()
    expect(runs).toBe(2)
    await vi.advanceTimersByTimeAsync(1)
    expect(runs).toBe(3)
    task.request()
    task.stop()
    finish()
    await vi.advanceTimersByTimeAsync(5_000)
    expect([runs, vi.getTimerCount()]).toEqual([3, 0])
  })
})

describe('the terminal', () => {
  test('only changed lines are written, and lines that are gone are erased', () => {
    expect(lineChanges(['a', 'b', 'c'], ['a', 'x'])).toBe(
      '\u001b[2;1H\u001b[0m\u001b[2Kx\u001b[0m\u001b[3;1H\u001b[2K',
    )
    expect(lineChanges(['a'], ['a'])).toBe('')
  })

  test('after characters of doubtful width the column is said', () => {
    expect(anchored('│ plain … ✓')).toBe('│ plain … ✓')
    expect(anchored('a漢\u001b[1m🚀\u001b[0m│')).toBe('a漢\u001b[4G\u001b[1m🚀\u001b[6G\u001b[0m│')
    expect(anchored('e\u0301x')).toBe('e\u0301\u001b[2Gx')
  })

  test('a crash gives the screen back, once; nothing listens after close', () => {
    const before = process.listenerCount('uncaughtExceptionMonitor') + process.listenerCount('exit')
    const fake = new FakeTerminal(80, 24)
    const terminal = openTerminal(fake.stdout)
    terminal.show('one\ntwo')
    expect([fake.isAlternate, fake.lines[1]]).toEqual([true, 'two'])
    // The types know this event for listeners only.
    ;(process as NodeJS.EventEmitter).emit('uncaughtExceptionMonitor', new Error('boom'))
    expect(fake.isAlternate).toBe(false)
    const written = fake.written
    terminal.show('three')
    terminal.close()
    terminal.close()
    expect(fake.written).toBe(written)
    expect(process.listenerCount('uncaughtExceptionMonitor') + process.listenerCount('exit')).toBe(before)
  })

  test('a slow terminal gets the newest frame, not every one', () => {
    const fake = new FakeTerminal(80, 24)
    const terminal = openTerminal(fake.stdout)
    const write = vi.spyOn(fake.stdout, 'write').mockReturnValue(false)
    terminal.show('one')
    terminal.show('two')
    terminal.show('three')
    expect(write).toHaveBeenCalledTimes(1)
    fake.stdout.emit('drain')
    expect(write).toHaveBeenCalledTimes(2)
    expect(String(write.mock.calls[1]?.[0])).toContain('three')
    terminal.close()
  })
})
