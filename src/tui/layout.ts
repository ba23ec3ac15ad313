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
  /** Lines for problems; 0 = none. */
  problems: number
  list: Rect
  panel: Rect
}

/**
 * Header, problems, list and panel (each under a title line), bottom line. In lines:
 *
 *   beside: 1 header, problems, 1 titles, body, bottom        below: … , 1 title, list, 1 title, panel, bottom
 */
export function planTown(
  size: Size,
  needs: { listLines: number; problems: number; bottom: number },
): TownLayout {
  const { columns, rows } = size
  const problems = Math.min(needs.problems, rows < 24 ? 1 : 3)
  const inner = rows - 1 - problems - needs.bottom
  if (columns >= SIDE_BY_SIDE_COLUMNS) {
    const width = Math.min(100, Math.round(columns * 0.45))
    const height = inner - 1
    return {
      kind: 'beside',
      problems,
      list: { width, height },
      panel: { width: columns - width - 1, height },
    }
  }
  const body = inner - 2
  const most = Math.max(Math.ceil(body * 0.55), 3)
  const list = Math.max(1, Math.min(Math.max(needs.listLines, 3), most, body - 3))
  return {
    kind: 'below',
    problems,
    list: { width: columns, height: list },
    panel: { width: columns, height: body - list },
  }
}

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
  bead: number
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

export function planColumns(
  width: number,
  longest: { agent: number; runtime: number },
  lines: 1 | 2,
): Columns {
  const agent = Math.min(Math.max(longest.agent, 6), Math.max(10, Math.floor(width * 0.22)))
  const runtime = width >= COLUMN_FROM.runtime && lines === 1 ? Math.min(Math.max(longest.runtime, 4), 10) : 0
  const diff = width >= COLUMN_FROM.diff ? 13 : 0
  const branch = width >= COLUMN_FROM.branch ? 24 : 0
  const fixed = [agent, runtime, diff, branch].reduce(
    (sum, cells) => sum + (cells === 0 ? 0 : cells + 1),
    STATE_CELLS + AGE_CELLS,
  )
  const free = width - fixed - 1
  const said = width >= COLUMN_FROM.said && lines === 1 ? Math.floor(free * 0.5) : 0
  return {
    agent,
    runtime,
    bead: Math.max(0, free - (said === 0 ? 0 : said + 1)),
    branch,
    said,
    diff,
    age: AGE_CELLS,
  }
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
