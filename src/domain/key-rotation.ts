import { type Static, Type } from 'typebox'
import { type ApiKey, makeKey } from './api-key.ts'
import { Scope } from './scope.ts'
import { Nullable, Timestamp } from './values/schema.ts'
import type { Secret } from './values/secret.ts'

/** Bounds of the time in which both keys work, for callers. Within the shortest an answer arrives before the old key ends. */
export const overlapSeconds = { shortest: 60, usual: 86_400, longest: 7 * 86_400 } as const

/** A key in the place of another one, which ends with the overlap. */
export interface Rotation {
  successor: ApiKey
  /** Its text, to be shown once. */
  key: Secret
  /** The end of the key before. */
  endsAtMs: number
}

/**
 * Makes the successor of a key: of the same tenant, with its name and its scopes, and no later end unless an operator gives one.
 * @param expiresAtMs null: it has no end
 */
export function rotate(before: ApiKey, nowMs: number, overlapMs: number, expiresAtMs: number | null): Rotation {
  const { id, key, digest } = makeKey()
  const times = { createdAtMs: nowMs, expiresAtMs, revokedAtMs: null }
  const { tenantId, name, scopes } = before
  const endsAtMs = Math.min(before.expiresAtMs ?? Number.POSITIVE_INFINITY, nowMs + overlapMs)
  return { successor: { id, tenantId, name, scopes, digest, ...times, predecessorId: before.id }, key, endsAtMs }
}

/** The answer to a rotation. A replay shows that the key was shown, and not the key. */
export const ShownRotation = Type.Object({
  id: Type.String({ maxLength: 12, description: 'Id of the new key', examples: ['0a1b2c3d4e5f'] }),
  key: Type.Optional(Type.String({ maxLength: 80, description: 'The new key, shown this once' })),
  key_shown: Type.Optional(Type.Boolean({ description: 'In a replay: the first answer had the key' })),
  scopes: Type.Array(Scope, { maxItems: 100 }),
  expires_at: Nullable(Timestamp('The end of the new key')),
  previous: Type.Object({
    id: Type.String({ maxLength: 12 }),
    expires_at: Timestamp('The end of the key that was rotated: until then both work')
  })
})
export type ShownRotation = Static<typeof ShownRotation>

export function showRotation({ successor, endsAtMs }: Rotation): ShownRotation {
  const { id, scopes, expiresAtMs, predecessorId } = successor
  return {
    id,
    scopes: [...scopes],
    expires_at: expiresAtMs === null ? null : new Date(expiresAtMs).toISOString(),
    previous: { id: predecessorId ?? '', expires_at: new Date(endsAtMs).toISOString() }
  }
}
