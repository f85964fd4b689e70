import type { ApiKey } from '../api-key.ts'
import { type Failure, type FailureOptions, KeyExpired, KeyRevoked, Unauthorized } from './failures.ts'

/**
 * Why a key may not be used, or null when it may. Whoever shows the whole key is told that it was revoked or has expired; all else that
 * can be wrong with one has one answer, so that nobody learns which keys there are. @param key null: nobody has it
 */
export function keyRefusal(key: ApiKey | null, nowMs: number, options: FailureOptions = {}): Failure | null {
  if (key === null) return new Unauthorized(options)
  if (key.revokedAtMs !== null) return new KeyRevoked(options)
  return key.expiresAtMs !== null && nowMs >= key.expiresAtMs ? new KeyExpired(options) : null
}
