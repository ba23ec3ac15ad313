import { ExternalError } from '../../domain/errors.js'

/** Versions that the tests ran with; the newest patch of a minor is taken to be like its others. */
export const TESTED_SERVER_VERSIONS = { oldest: '1.18.0', newest: '1.18.33' } as const

export type Compatibility =
  | { kind: 'tested' }
  | { kind: 'untested'; remark: string }
  | { kind: 'refused'; why: string }

/**
 * Routes and hooks of opencode move between minors: another minor than the tested one is used with a remark, another major
 * not at all.
 */
export function judgeVersion(version: string): Compatibility {
  const parts = /^(\d+)\.(\d+)\.(\d+)/.exec(version)
  if (parts === null) return { kind: 'untested', remark: `OpenCode calls itself "${version}"` }
  const [, major, minor, patch] = parts.map(Number)
  const [testedMajor, testedMinor, newestPatch] = TESTED_SERVER_VERSIONS.newest.split('.').map(Number)
  if (major !== testedMajor || (minor ?? 0) < (testedMinor ?? 0)) {
    return {
      kind: 'refused',
      why: `OpenCode ${version} has another API; gt is tested with ${TESTED_SERVER_VERSIONS.oldest} to ${TESTED_SERVER_VERSIONS.newest}`,
    }
  }
  if (minor === testedMinor && (patch ?? 0) <= (newestPatch ?? 0)) return { kind: 'tested' }
  return {
    kind: 'untested',
    remark: `OpenCode ${version} is newer than ${TESTED_SERVER_VERSIONS.newest}, the newest that gt was tested with`,
  }
}

/** @throws ExternalError code `unsupported-version` */
export function checkVersion(version: string): string | undefined {
  const judged = judgeVersion(version)
  if (judged.kind === 'tested') return undefined
  if (judged.kind === 'untested') return judged.remark
  throw new ExternalError(judged.why, {
    code: 'unsupported-version',
    hint: `npm install -g opencode-ai@${TESTED_SERVER_VERSIONS.newest}, or use --backend tmux`,
    details: { version },
  })
}
