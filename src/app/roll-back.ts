import { GtError, NotFoundError, OperationError, RolledBackError } from '../domain/errors.js'

export interface UndoStep {
  what: string
  run: () => Promise<void>
}

/**
 * Undoes in reverse what a transaction did before it failed.
 * @returns the error to throw: the cause, with what was undone and what could not be
 */
export async function rollBack(error: unknown, undo: UndoStep[]): Promise<GtError> {
  const cause = asGtError(error)
  const undone: string[] = []
  const stuck: string[] = []
  for (const step of undo.reverse()) {
    try {
      await step.run()
      undone.push(step.what)
    } catch (failure) {
      // What was not there needs no undoing.
      if (failure instanceof NotFoundError) continue
      stuck.push(`${step.what}: ${failure instanceof Error ? failure.message : String(failure)}`)
    }
  }
  const said = stuck.length === 0 ? `undone: ${undone.join(', ')}` : `could not undo ${stuck.join('; ')}`
  return new RolledBackError(cause, said, { undone, stuck })
}

export function asGtError(error: unknown): GtError {
  if (error instanceof GtError) return error
  return new OperationError(error instanceof Error ? error.message : String(error), {
    code: 'unexpected',
    cause: error,
  })
}
