import type { Fallback } from '../domain/choose-backend.js'
import { BACKEND_NAMES, type BackendName } from '../domain/config.js'
import { UsageError } from '../domain/errors.js'
import { nearest, printable } from '../domain/ids.js'
import { type OptionValues, textOption } from './command.js'

/** The value of --backend. @throws UsageError code `bad-backend` */
export function backendOption(options: OptionValues): { backend?: BackendName } {
  const typed = textOption(options, 'backend')
  if (typed === undefined) return {}
  const backend = BACKEND_NAMES.find((one) => one === typed)
  if (backend !== undefined) return { backend }
  const near = nearest(typed, BACKEND_NAMES)
  throw new UsageError(`there is no backend "${printable(typed)}"`, {
    code: 'bad-backend',
    hint: near === undefined ? `one of ${BACKEND_NAMES.join(', ')}` : `did you mean ${near}?`,
  })
}

/** A remark that a person must not miss. */
export function fallbackLine({ wanted, used, why }: Fallback): string {
  return `the ${wanted} backend could not take it (${why}); it runs in ${used} instead`
}
