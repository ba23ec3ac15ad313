import { existsSync } from 'node:fs'
import { tmuxCommand, tmuxLine } from './tmux-quote.js'

/** Of agents' windows and of the hidden session for watchers. Agent ids never start with "_". */
export const WATCH_SESSION = '_gt-watch'
export const RETIRED_SESSION_PREFIX = '_gt-old-'

/**
 * The words of the command that sets the server up, once, in the same step in which its first session is made; a person's own settings at the running
 * server stay. Never `set -g window-size manual`: tmux 3.3 to 3.6 then crash at the next new-session.
 */
export function serverSetup(): string[] {
  const global: readonly (readonly [string, string])[] = [
    ['default-terminal', terminalName()],
    // A late Escape is a key of its own to every TUI; half a second (tmux's default) makes it part of the next key.
    ['escape-time', '10'],
    ['focus-events', 'on'],
    ['extended-keys', 'on'],
    ['set-clipboard', 'on'],
    ['mouse', 'on'],
    ['history-limit', '20000'],
    // What a person attaches from must not change what agents see.
    ['update-environment', ''],
    ['status-style', 'bg=default,fg=default'],
    ['status-left', '#[bold]#{session_name}#[nobold] #{?pane_dead,(ended) ,}'],
    ['status-left-length', '70'],
    ['status-right', 'detach: #{prefix} d'],
    ['status-right-length', '30'],
  ]
  const globalWindow: readonly (readonly [string, string])[] = [
    // Its text would scroll the last screen by a line, and be part of it.
    ['remain-on-exit-format', ''],
    ['automatic-rename', 'off'],
    ['allow-rename', 'off'],
    ['window-status-format', ''],
    ['window-status-current-format', ''],
  ]
  const commands = [
    tmuxCommand('set-option', '-g', '@gt_set_up', '1'),
    ...global.map(([name, value]) => tmuxCommand('set-option', '-g', name, value)),
    ...globalWindow.map(([name, value]) => tmuxCommand('set-option', '-gw', name, value)),
    ...[
      'xterm*:extkeys',
      'xterm-kitty*:RGB',
      'xterm-ghostty*:RGB',
      'alacritty*:RGB',
      'foot*:RGB',
      '*-direct:RGB',
    ].map((features) => tmuxCommand('set-option', '-as', 'terminal-features', `,${features}`)),
    // tmux puts the directory of its start here; each pane gets its own.
    tmuxCommand('set-environment', '-gu', 'PWD'),
  ]
  return ['if-shell', '-F', '#{@gt_set_up}', '', tmuxLine(...commands)]
}

/** The better description is absent from old systems (macOS), and programs refuse a terminal that they cannot look up. */
function terminalName(): string {
  const folders = ['/usr/share/terminfo', '/lib/terminfo', '/etc/terminfo', '/usr/local/share/terminfo']
  const isKnown = folders.some((folder) =>
    ['t', '74'].some((first) => existsSync(`${folder}/${first}/tmux-256color`)),
  )
  return isKnown ? 'tmux-256color' : 'screen-256color'
}
