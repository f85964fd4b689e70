import { sql as raw } from 'kysely'
import type { Attempt, DeliveryError, Webhook } from '../../../domain/webhooks/tenant-webhook.ts'
import type { Statement } from '../../engine/engine.ts'
import { leaveWork } from '../../schema/database.ts'
import type { TenantWebhooksTable } from '../../schema/tenant-webhook-tables.ts'
import type { Store } from '../../store.ts'

/** The part of a webhook that is set; the rest follows from deliveries. */
export type WebhookSettings = Pick<
  Webhook,
  'tenantId' | 'url' | 'secret' | 'previousSecret' | 'previousUntilMs' | 'updatedAtMs'
>

/** The table `tenant_webhooks`: at most one for each tenant. What is set is changed only while it has the revision that it was read with. */
export function webhooksIn({ engine, sql }: Pick<Store, 'engine' | 'sql'>) {
  const lastEvent = raw<number>`(select cast(value as bigint) from meta where name = 'run_event')`

  return {
    async find(tenantId: string): Promise<Webhook | null> {
      const query = sql.selectFrom('tenant_webhooks').selectAll().where('tenant_id', '=', tenantId)
      const [row] = await engine.read(query.compile())
      return row === undefined ? null : toWebhook(row)
    },

    /** A new one. It is told of events from now on. @throws Conflict when the tenant has one */
    added(settings: WebhookSettings): Statement[] {
      const { updatedAtMs } = settings
      const row = { ...toColumns(settings), after_seq: lastEvent, given_up: 0, created_at: updatedAtMs, revision: 1 }
      const query = sql.insertInto('tenant_webhooks').values({ ...row, tenant_id: settings.tenantId })
      return [{ ...query.onConflict(conflict => conflict.doNothing()).compile(), changes: 1 }, leaveWork(sql)]
    },

    /**
     * New settings. A disabled one is enabled by them: it is told of events from now on. What is waiting is tried at once.
     * @throws Conflict when somebody has set it meanwhile
     */
    changed({ tenantId, revision }: Webhook, settings: WebhookSettings): Statement[] {
      const update = sql
        .updateTable('tenant_webhooks')
        .set({
          ...toColumns(settings),
          after_seq: raw<number>`case when disabled_at is null then after_seq else ${lastEvent} end`,
          disabled_at: null,
          failing_since: null,
          failed_at: null,
          revision: revision + 1
        })
        .where('tenant_id', '=', tenantId)
        .where('revision', '=', revision)
      const hurry = sql.updateTable('tenant_webhook_deliveries').set({ next_at: settings.updatedAtMs })
      return [{ ...update.compile(), changes: 1 }, hurry.where('tenant_id', '=', tenantId).compile(), leaveWork(sql)]
    },

    /** Takes it away with all that waits. @throws Conflict when somebody has set it meanwhile */
    removed({ tenantId, revision }: Webhook): Statement[] {
      const webhook = sql
        .deleteFrom('tenant_webhooks')
        .where('tenant_id', '=', tenantId)
        .where('revision', '=', revision)
      const waiting = sql.deleteFrom('tenant_webhook_deliveries').where('tenant_id', '=', tenantId)
      return [{ ...webhook.compile(), changes: 1 }, waiting.compile()]
    },

    /** Tenants that are told of events. */
    async enabled(): Promise<string[]> {
      const query = sql.selectFrom('tenant_webhooks').select('tenant_id').where('disabled_at', 'is', null)
      return (await engine.read(query.compile())).map(row => row.tenant_id)
    },

    /** Tenants with events that are not queued yet, and the number of the last one that is. */
    async behind(): Promise<{ tenantId: string; afterSeq: number }[]> {
      const newer = raw<boolean>`exists (select 1 from run_events e
        where e.tenant_id = tenant_webhooks.tenant_id and e.seq > tenant_webhooks.after_seq)`
      const query = sql
        .selectFrom('tenant_webhooks')
        .select(['tenant_id', 'after_seq'])
        .where('disabled_at', 'is', null)
      const rows = await engine.read(query.where(newer).compile())
      return rows.map(row => ({ tenantId: row.tenant_id, afterSeq: row.after_seq }))
    },

    /** Events up to that one are queued. @throws Conflict when another process has done it, or it is told of nothing */
    queued(tenantId: string, fromSeq: number, toSeq: number): Statement {
      const update = sql.updateTable('tenant_webhooks').set({ after_seq: toSeq }).where('tenant_id', '=', tenantId)
      const query = update.where('after_seq', '=', fromSeq).where('disabled_at', 'is', null)
      return { ...query.compile(), changes: 1 }
    },

    /**
     * Keeps the result of an attempt; a secret whose time is over goes with it.
     * @throws Conflict when it was set or removed meanwhile: the attempt says nothing of what is set now
     * @param failingSinceMs time of the first failure in a row; null: it was delivered
     */
    noted(
      { tenantId, revision, createdAtMs }: Pick<Webhook, 'tenantId' | 'revision' | 'createdAtMs'>,
      attempt: Attempt,
      nowMs: number,
      failingSinceMs: number | null,
      givenUp: number
    ): Statement {
      const isOver = raw<boolean>`previous_until <= ${nowMs}`
      const update = sql
        .updateTable('tenant_webhooks')
        .set({
          last_at: nowMs,
          last_status: attempt.status,
          last_error: attempt.error,
          last_ms: attempt.durationMs,
          // Another attempt may have delivered something meanwhile: then this is the first failure.
          failing_since:
            failingSinceMs &&
            raw<number>`case when failing_since is null then cast(${nowMs} as bigint) else ${failingSinceMs} end`,
          ...(failingSinceMs !== null && { failed_at: nowMs }),
          given_up: raw<number>`given_up + ${givenUp}`,
          previous_secret: raw<string | null>`case when ${isOver} then null else previous_secret end`,
          previous_until: raw<number | null>`case when ${isOver} then null else previous_until end`
        })
        .where('tenant_id', '=', tenantId)
      // One that was removed and set anew counts its revisions from the beginning.
      const same = update.where('revision', '=', revision).where('created_at', '=', createdAtMs)
      return { ...same.compile(), changes: 1 }
    },

    /**
     * Ends it, behind the note of the last failure: all that waits is dropped.
     * @throws Conflict when it was set, removed or disabled meanwhile, or something was delivered
     */
    disabled({ tenantId, revision }: Webhook, nowMs: number, failingSinceMs: number): Statement[] {
      const update = sql.updateTable('tenant_webhooks').set({ disabled_at: nowMs }).where('tenant_id', '=', tenantId)
      const query = update
        .where('revision', '=', revision)
        .where('disabled_at', 'is', null)
        .where('failing_since', '=', failingSinceMs)
      const waiting = sql.deleteFrom('tenant_webhook_deliveries').where('tenant_id', '=', tenantId)
      return [{ ...query.compile(), changes: 1 }, waiting.compile()]
    }
  }
}
export type TenantWebhooks = ReturnType<typeof webhooksIn>

function toColumns({ url, secret, previousSecret, previousUntilMs, updatedAtMs }: WebhookSettings) {
  return {
    url,
    secret,
    previous_secret: previousSecret,
    previous_until: previousUntilMs,
    updated_at: updatedAtMs
  }
}

function toWebhook(row: TenantWebhooksTable): Webhook {
  const attempt = { status: row.last_status, error: row.last_error as DeliveryError | null }
  return {
    tenantId: row.tenant_id,
    url: row.url,
    secret: row.secret,
    previousSecret: row.previous_secret,
    previousUntilMs: row.previous_until,
    afterSeq: row.after_seq,
    failingSinceMs: row.failing_since,
    failedAtMs: row.failed_at,
    disabledAtMs: row.disabled_at,
    givenUp: row.given_up,
    last: row.last_at === null ? null : { ...attempt, atMs: row.last_at, durationMs: row.last_ms ?? 0 },
    createdAtMs: row.created_at,
    updatedAtMs: row.updated_at,
    revision: row.revision
  }
}
