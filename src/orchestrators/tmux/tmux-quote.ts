/**
 * One word of tmux's own command language, as read from a file, from standard input or by a control client. Double
 * quotes and escapes, never single quotes: inside any quotes tmux 3.3a drops blanks and comments after a raw newline.
 */
export function quoteTmux(word: string): string {
  const escaped = word.replace(/[\\"$~\u0000-\u001f\u007f]/g, (c) => {
    if (c === '\n') return '\\n'
    if (c === '\t') return '\\t'
    const code = c.charCodeAt(0)
    return code >= 0x20 && code !== 0x7f ? `\\${c}` : `\\${code.toString(8).padStart(3, '0')}`
  })
  return `"${escaped}"`
}

/** One command of a line; the command's name stays bare. */
export function tmuxCommand(name: string, ...words: readonly string[]): string {
  return [name, ...words.map(quoteTmux)].join(' ')
}

/** The same for a command that is given as words. */
export function tmuxWords([name = '', ...words]: readonly string[]): string {
  return tmuxCommand(name, ...words)
}

/** Commands of one line: when one fails, tmux skips the rest of it. */
export function tmuxLine(...commands: readonly string[]): string {
  return commands.join(' ; ')
}
