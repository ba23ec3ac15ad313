import type { Bead } from './bead.js'
import type { Runtime } from './runtime.js'

/**
 * What a new session is told first. One paragraph: programs treat a first prompt's newlines differently, and the context
 * itself comes from `gt prime`.
 */
export function firstPrompt(runtime: Runtime, bead: Bead | undefined, args: string | undefined): string {
  const context =
    runtime.hooks === 'plugin'
      ? 'Your context from `gt prime` is loaded already.'
      : 'Run `gt prime` first: it tells you who you are and what the rules are.'
  const work =
    bead === undefined
      ? 'Your hook is empty: wait for instructions.'
      : `Your hook holds bead ${bead.shownId}: "${bead.title.replaceAll('"', "'")}". Start on it now; when everything is committed, run \`gt done\`.`
  return [`[gt] ${work} ${context}`, args ?? ''].filter((part) => part !== '').join(' ')
}

/** What a copy is told: it remembers all that its original did, and must not take itself for it. */
export function forkPrompt(original: string, bead: Bead, args: string | undefined): string {
  const words = `[gt] You are a copy of ${original}, in a worktree and on a branch of your own that hold what it had, uncommitted changes included. Your hook holds bead ${bead.shownId}: "${bead.title.replaceAll('"', "'")}". What you do here does not touch ${original}. Go on from here; when everything is committed, run \`gt done\`.`
  return [words, args ?? ''].filter((part) => part !== '').join(' ')
}

/** What a resumed session is told: its program does not remember what was cut off. */
export function resumePrompt(bead: Bead | undefined, interrupted: string): string {
  const work = bead === undefined ? 'Your hook is empty.' : `Your hook still holds bead ${bead.shownId}.`
  return `[gt] Your last session ended (${interrupted}); what you were doing then may be half done. ${work} Run \`gt prime\`, look at \`git status\`, and go on.`
}
