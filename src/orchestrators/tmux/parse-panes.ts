import { constants } from 'node:os'

/** What tmux says of one pane that runs, or ran, an agent. */
export interface PaneRecord {
  /** From the pane's own option: the panes that a person splits off an agent's window have none. */
  agent: string
  sessionName: string
  paneId: string
  panePid: number
  serverPid: number
  isDead: boolean
  exitCode?: number
  signal?: string
  diedAtS?: number
  createdAtS: number
  activeAtS: number
  isInputOff: boolean
  isAlternateScreen: boolean
  command: string
  title: string
  /** Only when asked for. */
  profile: string
}

/**
 * Programs choose their own name and title, and both may hold newlines, tabs and tmux formats. So fields and records end
 * in a mark that nobody can know beforehand, and control characters become "_": in a control client's stream a raw newline in
 * a process name would begin a line of its own ("%exit").
 */
export interface PaneFormat {
  format: string
  parse(output: string): PaneRecord[]
}

/** The pane options that `spawn` sets. */
export const AGENT_OPTION = '@gt_agent'
export const PROFILE_OPTION = '@gt_profile'

/** A regular expression of tmux's s/// that works inside `#{}`: no colon, no comma. */
export const SAFE_COMMAND = '#{s/[\u0001-\u001f\u007f]/_/:pane_current_command}'
export const SAFE_TITLE = '#{s/[\u0001-\u001f\u007f]/_/:pane_title}'

const FIELDS = [
  `#{${AGENT_OPTION}}`,
  '#{session_name}',
  '#{pane_id}',
  '#{pane_pid}',
  '#{pid}',
  '#{pane_dead}',
  '#{pane_dead_status}',
  '#{pane_dead_signal}',
  '#{pane_dead_time}',
  '#{session_created}',
  '#{window_activity}',
  '#{pane_input_off}',
  '#{alternate_on}',
  SAFE_COMMAND,
  SAFE_TITLE,
]

/** @param mark - letters and digits, fresh for every question */
export function paneFormat(mark: string, options: { withProfile?: boolean } = {}): PaneFormat {
  const fieldEnd = `|${mark}|`
  const recordEnd = `|${mark}/`
  return {
    format: [...FIELDS, options.withProfile ? `#{${PROFILE_OPTION}}` : ''].join(fieldEnd) + recordEnd,
    parse(output) {
      const records = output.split(recordEnd).slice(0, -1)
      return records.map((record) => parseRecord(record.replace(/^\n/, '').split(fieldEnd)))
    },
  }
}

function parseRecord(fields: readonly string[]): PaneRecord {
  const [
    agent = '',
    sessionName = '',
    paneId = '',
    panePid,
    serverPid,
    dead,
    status,
    signal,
    diedAt,
    ...rest
  ] = fields
  const [createdAt, activeAt, inputOff, alternate, command = '', title = '', profile = ''] = rest
  const exitCode = number(status)
  const diedAtS = number(diedAt)
  const signalName = signal === undefined || signal === '' ? undefined : nameOfSignal(signal)
  return {
    agent,
    sessionName,
    paneId,
    panePid: number(panePid) ?? 0,
    serverPid: number(serverPid) ?? 0,
    isDead: dead === '1',
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(signalName === undefined ? {} : { signal: signalName }),
    ...(diedAtS === undefined ? {} : { diedAtS }),
    createdAtS: number(createdAt) ?? 0,
    activeAtS: number(activeAt) ?? 0,
    isInputOff: inputOff === '1',
    isAlternateScreen: alternate === '1',
    command,
    title,
    profile,
  }
}

function number(text: string | undefined): number | undefined {
  return text === undefined || !/^-?\d+$/.test(text) ? undefined : Number(text)
}

/** tmux gives a number or a bare name, as its build has it. */
function nameOfSignal(text: string): string {
  const wanted = number(text)
  if (wanted === undefined)
    return text.toUpperCase().startsWith('SIG') ? text.toUpperCase() : `SIG${text.toUpperCase()}`
  for (const [name, value] of Object.entries(constants.signals)) if (value === wanted) return name
  return text
}
