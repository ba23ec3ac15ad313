import type { ImportReceipt } from '../app/import-beads.js'
import { plain } from './table.js'

const SHOWN = 20

/** What an import did, in numbers, and every line that it did not take as it stands. */
export function importText(receipt: ImportReceipt): string[] {
  const { created, updated, unchanged, kept, refused, skipped, dryRun } = receipt
  const numbers = `${created.length} created, ${updated.length} updated, ${unchanged} unchanged, ${kept.length} kept as they are here, ${refused.length} refused`
  return [
    dryRun ? `would be: ${numbers} (nothing was written)` : numbers,
    ...listed('kept', kept),
    ...listed('refused', refused),
    ...listed('not taken', skipped),
  ]
}

function listed(word: string, problems: ImportReceipt['kept']): string[] {
  const lines = problems
    .slice(0, SHOWN)
    .map(
      ({ line, id, why }) =>
        `  ${word}: line ${line}${id === undefined ? '' : `, ${id}`}: ${plain(why, 300)}`,
    )
  if (problems.length > SHOWN) lines.push(`  ${word}: and ${problems.length - SHOWN} more (--json lists all)`)
  return lines
}

export function importJson(receipt: ImportReceipt) {
  const { dryRun, ...rest } = receipt
  return { ...rest, dry_run: dryRun }
}
