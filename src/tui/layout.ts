export interface Size {
  columns: number
  rows: number
}

export interface Rect {
  width: number
  height: number
}

/** Below this nothing useful fits; we say so instead. */
export const MIN_SIZE: Size = { columns: 40, rows: 10 }
/** From here on the preview stands beside the list: both are then wide enough to read. */
const SIDE_BY_SIDE_COLUMNS = 120

export interface TownLayout {
  kind: 'beside' | 'below'
  /** Lines for what is asked, and for problems; 0 = none. */
  asks: number
  problems: number
  list: Rect
  /** Below the list, for queue and convoys; height 0 = not there. */
  extras: Rect
  panel: Rect
}

export interface TownNeeds {
  agents: number
  groups: number
  asks: number
  problems: number
  bottom: number
  /** Lines of queue and convoys, titles included. */
  extras: number
}

/**
 * Header, asks, problems, list and panel (each under a title line), bottom line. In lines:
 *
 *   beside: 1 header, problems, 1 titles, body, bottom        below: … , 1 title, list, 1 title, panel, bottom
 */
export function planTown(size: Size, needs: TownNeeds): TownLayout {
  const { columns, rows } = size
  const problems = Math.min(needs.problems, rows < 24 ? 1 : 3)
  const asks = Math.min(needs.asks, rows < 24 ? 1 : 4)
  const inner = rows - 1 - asks - problems - needs.bottom
  if (columns >= SIDE_BY_SIDE_COLUMNS) {
    const width = Math.min(100, Math.round(columns * 0.48))
    const height = inner - 1
    const roomy = Math.max(3, needs.agents * 2 + needs.groups * 2)
    const extras =
      height - roomy >= MIN_EXTRAS && needs.extras > 0 ? Math.min(needs.extras, height - roomy) : 0
    return {
      kind: 'beside',
      asks,
      problems,
      list: { width, height: height - extras },
      extras: { width, height: extras },
      panel: { width: columns - width - 1, height },
    }
  }
  const body = inner - 2
  const most = Math.max(Math.ceil(body * 0.55), 3)
  const wanted = Math.max(needs.agents + needs.groups, 3)
  const list = Math.max(1, Math.min(wanted, most, body - 3))
  return {
    kind: 'below',
    asks,
    problems,
    list: { width: columns, height: list },
    extras: { width: 0, height: 0 },
    panel: { width: columns, height: body - list },
  }
}

/** Fewer lines than this are better left blank. */
const MIN_EXTRAS = 4

export interface ListPlan {
  /** 2 = a second line says what the agent says. */
  linesPerAgent: 1 | 2
  headings: boolean
}

/** As much as fits without scrolling; when even the plainest list does not fit, headings stay for orientation. */
export function planList(
  height: number,
  width: number,
  counts: { agents: number; groups: number },
): ListPlan {
  const { agents, groups } = counts
  const spaced = groups * 2 - 1
  if (width < COLUMN_FROM.said && agents * 2 + spaced <= height) return { linesPerAgent: 2, headings: true }
  if (agents + groups <= height) return { linesPerAgent: 1, headings: true }
  return { linesPerAgent: 1, headings: agents > height && height >= 8 }
}

/** Cells of each column of an agent row; 0 = not shown. Every shown one but the last is followed by a space. */
export interface Columns {
  agent: number
  runtime: number
  /** Id and title together. */
  bead: number
  beadId: number
  branch: number
  said: number
  diff: number
  age: number
}

/** Width of a row from which a column is worth its cells. */
const COLUMN_FROM = { diff: 66, runtime: 76, said: 130, branch: 170 }
/** Marker, glyph, space, the longest state word, space. */
export const STATE_CELLS = 12
const AGE_CELLS = 4

export interface LongestTexts {
  agent: number
  runtime: number
  beadId: number
  diff: number
}

export function planColumns(width: number, longest: LongestTexts, lines: 1 | 2): Columns {
  const agent = Math.min(Math.max(longest.agent, 6), Math.max(10, Math.floor(width * 0.22)))
  const runtime = width >= COLUMN_FROM.runtime && lines === 1 ? Math.min(Math.max(longest.runtime, 4), 10) : 0
  const diff = width >= COLUMN_FROM.diff ? longest.diff : 0
  const branch = width >= COLUMN_FROM.branch ? 24 : 0
  const shown = [agent, runtime, diff, branch].filter((cells) => cells > 0)
  const free = width - STATE_CELLS - AGE_CELLS - shown.reduce((sum, cells) => sum + cells + 1, 0) - 1
  const said = width >= COLUMN_FROM.said && lines === 1 ? Math.floor(free * 0.5) : 0
  const bead = Math.max(0, free - (said === 0 ? 0 : said + 1))
  const beadId = Math.min(longest.beadId, Math.max(8, Math.floor(bead * 0.45)), bead)
  return { agent, runtime, bead, beadId, branch, said, diff, age: AGE_CELLS }
}

/** First line to show so that lines `from..to` are in sight, near the middle when there is more on both sides. */
export function scrollTop(total: number, height: number, from: number, to = from + 1): number {
  const middle = from - Math.floor((height - (to - from)) / 2)
  return Math.max(0, Math.min(middle, total - height))
}

/** The first of the candidates that fits, longest first; else the last. */
export function firstFitting<T>(
  candidates: readonly T[],
  width: (candidate: T) => number,
  cells: number,
): T | undefined {
  return candidates.find((candidate) => width(candidate) <= cells) ?? candidates.at(-1)
}
