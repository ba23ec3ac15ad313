import { GtError, NotFoundError, OperationError, RolledBackError } from '../domain/errors.js'

export interface UndoStep {
  what: string
  /** @returns false when there was nothing to undo */
  run: () => Promise<unknown>
}

/**
 * Undoes in reverse what a transaction did before it failed. Stops at the first step that cannot be undone: a worktree must
 * not go while its agent may live, nor a claim while its worktree stands.
 * @returns the error to throw: the cause, with what was undone and what could not be
 */
export async function rollBack(error: unknown, undo: UndoStep[]): Promise<GtError> {
  const cause = asGtError(error)
  const undone: string[] = []
  const stuck: string[] = []
  for (const step of undo.reverse()) {
    try {
      if ((await step.run()) !== false) undone.push(step.what)
    } catch (failure) {
      // What was not there needs no undoing.
      if (failure instanceof NotFoundError) continue
      stuck.push(`${step.what}: ${failure instanceof Error ? failure.message : String(failure)}`)
      break
    }
  }
  const said =
    stuck.length > 0
      ? `could not undo ${stuck.join('; ')}; the rest stays as it is, and the same command goes on from here`
      : `undone: ${undone.join(', ') || 'nothing'}`
  return new RolledBackError(cause, said, { undone, stuck })
}

export function asGtError(error: unknown): GtError {
  if (error instanceof GtError) return error
  return new OperationError(error instanceof Error ? error.message : String(error), {
    code: 'unexpected',
    cause: error,
  })
}
