import type { Caller } from '../../domain/caller.ts'
import { type Rotation, rotate, showRotation } from '../../domain/key-rotation.ts'
import { KeyRevoked, RotationUnderWay } from '../../domain/refusals/failures.ts'
import type { Clock } from '../../domain/values/clock.ts'
import { Conflict } from '../../store/engine/engine.ts'
import type { Directory } from '../../store/memory/directory.ts'
import type { ApiKeys } from '../../store/tables/api-keys.ts'
import type { AuditTrail } from '../operations/audit-trail.ts'

export interface RotateKeyDeps {
  keys: Pick<ApiKeys, 'find' | 'hasSuccessor' | 'endOfLine' | 'rotated'>
  directory: Pick<Directory, 'pull'>
  auditTrail: Pick<AuditTrail, 'answered'>
  clock: Pick<Clock, 'now'>
}

/**
 * Gives the caller's own key a successor, at once. The old one ends after the overlap.
 * @throws RotationUnderWay while the key has a successor that is not revoked; KeyRevoked when it has ended meanwhile; AuditUnavailable
 */
export type RotateKey = (caller: Caller, overlapSeconds: number) => Promise<Rotation>

export function rotateKey({ keys, directory, auditTrail, clock }: RotateKeyDeps): RotateKey {
  return async (caller, overlapSeconds) => {
    const { tenant, key } = caller
    if (await keys.hasSuccessor(key.id)) throw new RotationUnderWay({ outcome: 'not_sent' })
    // Its end as the store has it, and not as memory had it.
    const before = (await keys.find(key.id)) ?? key
    const nowMs = clock.now()
    const rotation = rotate(before, nowMs, overlapSeconds * 1_000, await keys.endOfLine(before))
    const resources = [key.id, rotation.successor.id].map(uid => ({ type: 'key' as const, uid }))
    const mutation = { caller, kind: 'rotate_key', upstream: tenant.upstream, meetingId: null, resources } as const
    const data = { ...showRotation(rotation), key_shown: true }
    await auditTrail
      .answered(mutation, { status: 201, data, statements: keys.rotated(rotation, nowMs) })
      .catch(error => {
        throw error instanceof Conflict ? new KeyRevoked({ cause: error, outcome: 'not_sent' }) : error
      })
    // Its caller may use it at once; other gateways know it within a second.
    await directory.pull().catch(() => {})
    return rotation
  }
}
