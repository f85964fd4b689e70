import type { Sealing } from '../../audit/keys/sealing.ts'
import type { Caller } from '../../domain/caller.ts'
import type { OperationKind } from '../../domain/operation.ts'
import { Failure, InvalidInput, WebhookNotFound, withOutcome } from '../../domain/refusals/failures.ts'
import type { Network } from '../../domain/values/address.ts'
import type { Clock } from '../../domain/values/clock.ts'
import {
  faultOfUrl,
  hostOf,
  type ShownAttempt,
  type ShownWebhook,
  type ShownWebhookWithSecret,
  showAttempt,
  showWebhook,
  type Webhook
} from '../../domain/webhooks/tenant-webhook.ts'
import { Conflict } from '../../store/engine/engine.ts'
import type { WebhookDeliveries } from '../../store/tables/webhooks-out/deliveries.ts'
import type { TenantWebhooks } from '../../store/tables/webhooks-out/webhooks.ts'
import type { Deadline } from '../context.ts'
import type { AuditTrail } from '../operations/audit-trail.ts'
import type { Mutation } from '../operations/mutation.ts'
import { type Deliver, testMessage } from './message.ts'
import { prepareSetting, type WebhookWish } from './setting.ts'

export interface TenantWebhookDeps {
  webhooks: Pick<TenantWebhooks, 'find' | 'added' | 'changed' | 'removed'>
  deliveries: Pick<WebhookDeliveries, 'count'>
  sealing: Sealing
  auditTrail: Pick<AuditTrail, 'answered' | 'intend'>
  deliver: Deliver
  networks: readonly Network[]
  /** Says that something may be due. */
  wake(): void
  deadline: Deadline
  clock: Clock
}

/** A tenant's own webhook. */
export interface TenantWebhook {
  /**
   * Makes it, changes it, or enables it again. Its secret is in the answer alone that makes it.
   * @throws InvalidInput for an address that may not be called; AuditUnavailable; StoreUnavailable when others set it all the time
   */
  set(caller: Caller, wish: WebhookWish): Promise<{ webhook: ShownWebhookWithSecret; isNew: boolean }>
  /** @throws WebhookNotFound */
  find(caller: Caller): Promise<ShownWebhook>
  /** Takes it away with all that waits. @throws WebhookNotFound, AuditUnavailable */
  remove(caller: Caller): Promise<ShownWebhook>
  /** Sends a test, once, also to one that is disabled. It changes nothing. @throws WebhookNotFound, AuditUnavailable */
  test(caller: Caller): Promise<ShownAttempt>
}

/** Another call may set it between a look and a write: then once more. */
const tries = 3

export function tenantWebhook(deps: TenantWebhookDeps): TenantWebhook {
  const { webhooks, deliveries, auditTrail, deliver, networks, wake, deadline, clock } = deps

  return {
    async set(caller, wish) {
      const { tenant } = caller
      const fault = faultOfUrl(wish.url, networks)
      if (fault !== null) throw new InvalidInput({ details: [{ field: 'body.url', message: fault }] })
      const { href: url } = new URL(wish.url)
      return unlessOvertaken(async () => {
        const before = await webhooks.find(tenant.id)
        const made = prepareSetting(deps, tenant.id, before, { ...wish, url }, clock.now())
        const { webhook, secret, statements } = made
        const isNew = before === null
        const data = showWebhook(webhook, await deliveries.count(tenant.id))
        const mutation = mutationOf(caller, 'set_webhook', webhook)
        await auditTrail.answered(mutation, { status: isNew ? 201 : 200, data, statements })
        wake()
        return { webhook: { ...data, ...(secret !== null && { secret: secret.reveal() }) }, isNew }
      })
    },

    async find({ tenant }) {
      return showWebhook(await demand(tenant.id), await deliveries.count(tenant.id))
    },

    remove(caller) {
      return unlessOvertaken(async () => {
        const webhook = await demand(caller.tenant.id)
        const data = showWebhook(webhook, await deliveries.count(caller.tenant.id))
        const statements = webhooks.removed(webhook)
        await auditTrail.answered(mutationOf(caller, 'remove_webhook', webhook), { status: 200, data, statements })
        return data
      })
    },

    async test(caller) {
      const webhook = await demand(caller.tenant.id)
      const mutation = mutationOf(caller, 'test_webhook', webhook)
      await auditTrail.intend(mutation)
      const message = testMessage(caller.tenant.id, clock.now())
      const startedMs = clock.monotonic()
      // Broken off by the deadline of the request, or by the end of the gateway.
      const late = () => ({
        status: null,
        error: 'timeout' as const,
        durationMs: Math.round(clock.monotonic() - startedMs)
      })
      const data = showAttempt(await deliver(webhook, message, deadline()).catch(late))
      await auditTrail.answered(mutation, { status: 200, data }).catch(error => {
        throw error instanceof Failure ? withOutcome(error, 'unknown') : error
      })
      return data
    }
  }

  async function demand(tenantId: string): Promise<Webhook> {
    const webhook = await webhooks.find(tenantId)
    if (webhook === null) throw new WebhookNotFound()
    return webhook
  }
}

/** Does the work again when another call was faster. @throws Conflict, which is a StoreUnavailable, when that goes on */
async function unlessOvertaken<T>(work: () => Promise<T>): Promise<T> {
  for (let left = tries; ; left--) {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof Conflict) || left === 1) throw error
    }
  }
}

function mutationOf(caller: Caller, kind: OperationKind, { url }: Webhook): Mutation {
  const resources = [{ type: 'webhook' as const, uid: hostOf(url) }]
  return { caller, kind, upstream: caller.tenant.upstream, meetingId: null, resources }
}
