import type { Json } from './record.js'

/** Whether two JSON values are equal, whatever the order of their keys. */
export function sameJson(a: Json | undefined, b: Json | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && sortedJson(a) === sortedJson(b))
}

/** JSON text with sorted keys. */
export function sortedJson(value: Json): string {
  return JSON.stringify(sortKeys(value))
}

function sortKeys(value: Json): Json {
  if (Array.isArray(value)) return value.map(sortKeys)
  if (typeof value !== 'object' || value === null) return value
  const sorted: Record<string, Json> = {}
  for (const key of Object.keys(value).sort()) setOwn(sorted, key, sortKeys(value[key] ?? null))
  return sorted
}

/** Names come from files and may be `__proto__`. */
export function setOwn<T>(object: Record<string, T>, key: string, value: NoInfer<T>): void {
  Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true })
}

export function getOwn<T>(object: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined
}
