import type { Sealing } from '../../audit/keys/sealing.ts'
import type { Secret } from '../../domain/values/secret.ts'
import { bothSecretsMs, type Webhook } from '../../domain/webhooks/tenant-webhook.ts'
import type { Statement } from '../../store/engine/engine.ts'
import type { TenantWebhooks } from '../../store/tables/webhooks-out/webhooks.ts'
import { makeWebhookSecret } from './message.ts'

/** Wish for a webhook. */
export interface WebhookWish {
  url: string
  /** True: a new secret, which signs beside the one of before for a day. */
  rotateSecret: boolean
}

/** A webhook as it will be, with what makes it so. */
export interface PreparedSetting {
  webhook: Webhook
  /** Null when it stays what it was. It is not to be had again. */
  secret: Secret | null
  /** @throws Conflict, when they are written, if somebody has set it meanwhile */
  statements: Statement[]
}

export interface SettingDeps {
  webhooks: Pick<TenantWebhooks, 'added' | 'changed'>
  sealing: Sealing
}

/** @param before null: the tenant has none */
export function prepareSetting(
  { webhooks, sealing }: SettingDeps,
  tenantId: string,
  before: Webhook | null,
  { url, rotateSecret }: WebhookWish,
  nowMs: number
): PreparedSetting {
  const isNewSecret = before === null || rotateSecret
  const secret = isNewSecret ? makeWebhookSecret() : null
  const sealed = secret === null ? (before?.secret ?? '') : sealing.seal(secret, tenantId)
  // One that can't be read any more can't sign either.
  const previous = before !== null && sealing.open(before.secret, tenantId) !== null ? before.secret : null
  const untilMs = previous === null ? null : nowMs + bothSecretsMs
  const settings = {
    tenantId,
    url,
    secret: sealed,
    previousSecret: isNewSecret ? previous : before.previousSecret,
    previousUntilMs: isNewSecret ? untilMs : before.previousUntilMs,
    updatedAtMs: nowMs
  }
  const fresh = { afterSeq: 0, givenUp: 0, last: null, createdAtMs: nowMs, revision: 0 }
  const webhook = {
    ...(before ?? fresh),
    ...settings,
    failingSinceMs: null,
    failedAtMs: null,
    disabledAtMs: null
  }
  const statements = before === null ? webhooks.added(settings) : webhooks.changed(before, settings)
  return { webhook, secret, statements }
}
