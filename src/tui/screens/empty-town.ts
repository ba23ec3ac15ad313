import type { TownView } from '../../app/town-view.js'
import { plural } from '../format.js'
import { type Line, span } from '../line.js'
import { BOLD, DIM, type Theme } from '../theme.js'

/** What to do in a town where nothing runs yet. */
export function emptyTownLines(view: TownView, theme: Theme): Line[] {
  const step = (what: string, how: string): Line[] => [
    [span(`  ${what}`, DIM)],
    [span(`    ${theme.glyphs.prompt} `, DIM), span(how, BOLD)],
  ]
  const ready =
    view.beads.ready > 0 ? ` ${plural(view.beads.ready, 'bead is', 'beads are')} ready to be worked on.` : ''
  return [
    [],
    [span('  No agents yet.', BOLD), span(ready)],
    [],
    ...step(
      'Hand work to one: press n here and type, or in a shell',
      'gt sling "fix the login page" PROJECT',
    ),
    ...step('No project yet? Name a repository', 'gt rig add PROJECT PATH-OR-URL'),
    ...step('Only looking? This plays a town through', 'gt demo'),
  ]
}
