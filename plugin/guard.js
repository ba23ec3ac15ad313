import { spawnSync } from 'node:child_process'

/**
 * Advice to a model, not a fence: it keeps an honest agent on the one road to the target branch.
 * @returns {string | undefined} why this shell line must not run
 */
export function refusalOf(line, target, directory) {
  for (const words of commandsOf(line)) {
    const start = words.findIndex((word) => !/^(\w+=.*|sudo|env|exec|command|time|nohup)$/s.test(word))
    const program = words[start]?.split('/').at(-1) ?? ''
    const script = /^(ba|da|z)?sh$/.test(program) ? words.findIndex((word) => /^-\w*c$/.test(word)) : -1
    const nested = script > 0 ? refusalOf(words[script + 1] ?? '', target, directory) : undefined
    if (nested) return nested
    if (program !== 'git') continue
    let at = start + 1
    while (words[at]?.startsWith('-')) at += /^(-C|-c|--git-dir|--work-tree)$/.test(words[at]) ? 2 : 1
    const [verb, ...rest] = words.slice(at)
    if (!/^(push|commit|merge|rebase|am)$/.test(verb ?? '')) continue
    if (
      rest.includes('--no-verify') ||
      words.slice(start, at).some((word) => /^core\.hookspath=/i.test(word)) ||
      (verb === 'commit' && rest.some((word) => /^-[^-mFCct]*n/.test(word)))
    ) {
      return 'gt: the checks are not skipped here. Repair what they complain of, commit, and finish with `gt done`.'
    }
    if (verb === 'push' && target && pushes(rest, target, directory)) {
      return `gt: nobody pushes to ${target}. Commit your work and run \`gt done\`: it hands the branch to the merge queue.`
    }
  }
  return undefined
}

function pushes(args, target, directory) {
  if (args.some((word) => /^--(all|branches|mirror)$/.test(word))) return true
  const refs = args.filter((word) => !word.startsWith('-')).slice(1)
  const git = () =>
    spawnSync('git', ['symbolic-ref', '--short', '-q', 'HEAD'], { cwd: directory, encoding: 'utf8' })
  const current =
    refs.length === 0 || refs.some((ref) => /^(HEAD|@)$/.test(ref)) ? git().stdout?.trim() : undefined
  const targets = refs.map((ref) =>
    ref
      .split(':')
      .at(-1)
      ?.replace(/^\+/, '')
      .replace(/^refs\/heads\//, ''),
  )
  return current === target || targets.includes(target)
}

/** The commands of a shell line, as words without quotes. Here-documents are data and left out. */
function commandsOf(line) {
  const text = line.replace(/<<-?\s*(['"]?)(\w+)\1([^\n]*)\n[\s\S]*?\n\s*\2(?=\n|$)/g, '$3\n')
  const pieces = /'([^']*)'|"((?:\\.|[^"\\])*)"|(\$\(|[;&|()\n`])|(\s+)|(\\.|[^\s;&|()`'"])/gs
  const commands = [[]]
  let word
  const endWord = () => {
    if (word !== undefined) commands.at(-1)?.push(word)
    word = undefined
  }
  for (const [, single, double, operator, space, letter] of text.matchAll(pieces)) {
    if (operator || space) endWord()
    if (operator) commands.push([])
    if (!operator && !space) word = (word ?? '') + (single ?? double ?? letter ?? '')
  }
  endWord()
  return commands
}
