import type { ApiKey } from '../domain/api-key.ts'
import { type Clock, Loop } from '../domain/values/clock.ts'
import { tellTrouble } from '../domain/values/tell-trouble.ts'
import type { ApiKeys } from '../store/tables/api-keys.ts'

export interface ExpiringKeysDeps {
  keys: Pick<ApiKeys, 'expiring'>
  log: { warn(facts: object, message: string): void }
  clock: Pick<Clock, 'now'>
  everyMs?: number
}

/** Warns of keys that expire soon, and that nobody has rotated. */
export interface ExpiringKeys {
  /** Whether there were some at the last look. */
  some(): boolean
  close(): void
}

/** So long before its end a key is warned of; one that was made for no longer is not. */
const noticeMs = 7 * 86_400_000
const mostNamed = 1_000

export function watchExpiringKeys({ keys, log, clock, everyMs = 60_000 }: ExpiringKeysDeps): ExpiringKeys {
  const told = new Set<string>()
  let expiring: ApiKey[] = []

  const loop = new Loop({
    async round() {
      const nowMs = clock.now()
      expiring = await keys.expiring({ nowMs, untilMs: nowMs + noticeMs, longerThanMs: noticeMs, limit: mostNamed })
      for (const { id, tenantId, expiresAtMs } of expiring) {
        if (told.has(id)) continue
        told.add(id)
        const facts = { key: id, tenant: tenantId, expires_at: new Date(expiresAtMs ?? 0).toISOString() }
        log.warn(
          { event: 'key_expiring', ...facts },
          'a key expires within 7 days: `livegate key rotate` makes the next one'
        )
      }
    },
    everyMs,
    onTrouble: tellTrouble(
      log,
      'warn',
      { event: 'key_expiry_unknown' },
      'the store does not tell which keys expire soon: asked again'
    )
  }).start(0)

  return { some: () => expiring.length > 0, close: () => void loop.close() }
}
