import type { Entity, Json } from './record.js'

/**
 * Typed reading of free registers. A wrong type reads as absent: the log may hold what a newer gt or a hand wrote,
 * and one odd register must not hide an entity.
 */
export function text(entity: Entity, field: string): string | undefined {
  const value = entity.fields[field]
  return typeof value === 'string' ? value : undefined
}

export function number(entity: Entity, field: string): number | undefined {
  const value = entity.fields[field]
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined
}

export function flag(entity: Entity, field: string): boolean {
  return entity.fields[field] === true
}

export function oneOf<T extends string>(entity: Entity, field: string, allowed: readonly T[]): T | undefined {
  const value = entity.fields[field]
  return allowed.find((candidate) => candidate === value)
}

export function members(entity: Entity, field: string): readonly string[] {
  return entity.sets[field] ?? []
}

export function object(entity: Entity, field: string): Record<string, Json> | undefined {
  const value = entity.fields[field]
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined
}

/** Drops what is undefined, so that optional values can be given as they are. */
export function given(fields: Record<string, Json | undefined>): Record<string, Json> {
  const kept: Record<string, Json> = {}
  for (const [key, value] of Object.entries(fields)) if (value !== undefined) kept[key] = value
  return kept
}
