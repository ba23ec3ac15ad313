import type { ImportReceipt } from '../app/import-beads.js'
import type { GasTownReceipt } from '../app/import-gastown.js'
import { plain } from './table.js'

const SHOWN = 20

/** What an import did, in numbers, and every line that it did not take as it stands. */
export function importText(receipt: ImportReceipt): string[] {
  const { created, updated, unchanged, kept, refused, skipped, waiting, dryRun } = receipt
  const numbers = `${created.length} created, ${updated.length} updated, ${unchanged} unchanged, ${kept.length} kept as they are here, ${refused.length} refused`
  return [
    dryRun ? `would be: ${numbers} (nothing was written)` : numbers,
    ...listed('kept', kept),
    ...listed('refused', refused),
    ...listed('not taken', skipped),
    ...waiting
      .slice(0, SHOWN)
      .map(({ id, missing }) => `  ${id} waits for what is not here: ${plain(missing.join(', '), 200)}`),
    ...(waiting.length > SHOWN ? [`  and ${waiting.length - SHOWN} more wait for what is not here`] : []),
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

export function gasTownText(receipt: GasTownReceipt): string[] {
  const { rigs, stores, crew, left, dryRun } = receipt
  const named = (names: readonly string[]) => (names.length === 0 ? 'none' : names.join(', '))
  return [
    ...(dryRun ? ['this is what would be done; nothing was written'] : []),
    `rigs: ${named(rigs.added)} added${rigs.known.length > 0 ? `; ${named(rigs.known)} known already` : ''}`,
    ...stores.flatMap(({ file, receipt: store }) => [
      `${plain(file, 300)}:`,
      ...importText(store).map((line) => `  ${line}`),
    ]),
    `crew: ${named(crew.added)} added${crew.known.length > 0 ? `; ${named(crew.known)} known already` : ''}`,
    ...left.map(
      ({ what, why, isFailure }) =>
        `${isFailure ? 'NOT TAKEN' : 'left there'}: ${plain(what, 200)}: ${plain(why, 300)}`,
    ),
  ]
}

export function gasTownJson(receipt: GasTownReceipt) {
  const { stores, left, dryRun, ...rest } = receipt
  return {
    ...rest,
    stores: stores.map(({ file, receipt: store }) => ({ file, ...importJson(store) })),
    left: left.map(({ isFailure, ...one }) => ({ ...one, failed: isFailure })),
    dry_run: dryRun,
  }
}
