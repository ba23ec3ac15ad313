/** Words after which a secret stands in a command line, a header or an address. */
const BEFORE_SECRET = [
  /(\bauthorization\s*[:=]\s*["']?(?:bearer|basic|token)\s+)[^\s"']+/gi,
  /((?:^|[\s"'])--?[\w-]*(?:password|passwd|token|secret|api-?key)(?:=|\s+)["']?)[^\s"']+/gi,
  /(\b\w*(?:PASSWORD|PASSWD|TOKEN|SECRET|API_?KEY)\w*=["']?)[^\s"']+/g,
  /(:\/\/[^\s:/@]+:)[^\s@/]+(?=@)/g,
]
/** Keys that say of themselves what they are. */
const KEYS =
  /\b(?:sk-[\w-]{16,}|gh[opsu]_\w{20,}|github_pat_\w{20,}|xox[abprs]-[\w-]{10,}|AKIA[0-9A-Z]{16}|eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,})/g

/**
 * What a model wanted to run goes into the store, which is kept and shared: what reads like a secret does not. A guess by
 * names and forms, so it finds the usual ones and not all.
 */
export function redact(text: string): string {
  return BEFORE_SECRET.reduce((rest, pattern) => rest.replace(pattern, '$1***'), text).replace(KEYS, '***')
}
