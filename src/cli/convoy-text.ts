import type { ConvoyView } from '../app/town-view.js'
import { plain, progressBar, table } from './table.js'

export function convoyLine(convoy: ConvoyView): string {
  const { progress } = convoy
  const rest = [
    progress.inReview > 0 ? `${progress.inReview} in the merge queue` : '',
    progress.hooked > 0 ? `${progress.hooked} being worked on` : '',
    progress.open > 0 ? `${progress.open} open` : '',
  ].filter((part) => part !== '')
  const state = progress.total > 0 && progress.closed === progress.total ? 'all landed' : rest.join(', ')
  return `${convoy.id}  ${progressBar(progress.closed, progress.total)}  ${plain(convoy.title, 80)}${convoy.status === 'closed' ? ' (closed)' : ''}${state === '' ? '' : ` · ${state}`}`
}

export function convoyText(convoy: ConvoyView): string[] {
  return [
    convoyLine(convoy),
    ...table(
      convoy.beads.map((bead) => [
        `  ${bead.id}`,
        bead.status,
        plain(bead.assignee ?? '-'),
        plain(bead.title, 80),
      ]),
    ),
  ]
}
