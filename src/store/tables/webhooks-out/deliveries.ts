import { sql as raw } from 'kysely'
import { longestPauseMs } from '../../../domain/webhooks/tenant-webhook.ts'
import type { Statement } from '../../engine/engine.ts'
import type { TenantWebhookDeliveriesTable } from '../../schema/tenant-webhook-tables.ts'
import type { Store } from '../../store.ts'

/** An event that waits for its tenant's webhook. */
export interface Delivery {
  /** Number of the event. */
  readonly seq: number
  readonly tenantId: string
  /** Meeting, or livestream without one, with its upstream. */
  readonly place: string
  readonly messageId: string
  readonly body: string
  /** So many attempts have failed. */
  readonly attempts: number
  readonly queuedAtMs: number
}

/** The process that asks, and for how long nobody else may deliver what it takes. */
export interface Lease {
  owner: string
  leaseMs: number
  nowMs: number
}

/**
 * The table `tenant_webhook_deliveries`. Of each place the first row alone may be taken, so that events keep their order. A time that lies twice as
 * far ahead as any pause or lease is of before the clock was set back, and counts as over.
 */
export function webhookDeliveriesIn({ engine, sql }: Pick<Store, 'engine' | 'sql'>) {
  const isDue = (nowMs: number) => raw<boolean>`(next_at <= ${nowMs} or next_at > ${nowMs + 2 * longestPauseMs})`
  const isFree = ({ nowMs, leaseMs }: Lease) =>
    raw<boolean>`(owner is null or lease_until <= ${nowMs} or lease_until > ${nowMs + 2 * leaseMs})`
  const isFirst = raw<boolean>`not exists (select 1 from tenant_webhook_deliveries before
    where before.tenant_id = tenant_webhook_deliveries.tenant_id and before.place = tenant_webhook_deliveries.place
    and before.seq < tenant_webhook_deliveries.seq)`

  return {
    /** A row for an event. One that is there stays. */
    added({ seq, tenantId, place, messageId, body, queuedAtMs }: Omit<Delivery, 'attempts'>): Statement {
      const times = { queued_at: queuedAtMs, next_at: queuedAtMs, owner: null, lease_until: null }
      const row = { seq, tenant_id: tenantId, place, message_id: messageId, body, attempts: 0, ...times }
      const query = sql.insertInto('tenant_webhook_deliveries').values(row)
      return query.onConflict(conflict => conflict.doNothing()).compile()
    },

    /** Tenants for which something is due, the one that waits longest first. */
    async dueTenants(lease: Lease): Promise<string[]> {
      const query = sql
        .selectFrom('tenant_webhook_deliveries')
        .select('tenant_id')
        .where(isDue(lease.nowMs))
        .where(isFree(lease))
        .groupBy('tenant_id')
        .orderBy(raw`min(next_at)`)
      return (await engine.read(query.compile())).map(row => row.tenant_id)
    },

    /** Takes rows of a tenant that are due, so many at most: until the lease is over nobody else does. */
    async take(tenantId: string, lease: Lease, atMost: number): Promise<Delivery[]> {
      const due = sql
        .selectFrom('tenant_webhook_deliveries')
        .select('seq')
        .where('tenant_id', '=', tenantId)
        .where(isDue(lease.nowMs))
        .where(isFree(lease))
        .where(isFirst)
        .orderBy('next_at')
        .limit(atMost)
      const query = sql
        .updateTable('tenant_webhook_deliveries')
        .set({ owner: lease.owner, lease_until: lease.nowMs + lease.leaseMs })
        .where('seq', 'in', due)
        // On PostgreSQL another process may have taken one since the rows were chosen.
        .where(isFree(lease))
        .returningAll()
      const [rows = []] = await engine.write([query.compile()])
      return (rows as unknown as TenantWebhookDeliveriesTable[]).map(toDelivery)
    },

    /** Time of the next attempt that is not due yet, or at which another process must have let go of a row; null when there is none. */
    async nextAtMs(nowMs: number): Promise<number | null> {
      const at = raw<number>`case when owner is not null and lease_until > next_at then lease_until else next_at end`
      const next = raw<number | null>`min(${at})`.as('at')
      const query = sql.selectFrom('tenant_webhook_deliveries').select(next)
      const [row] = await engine.read(query.where(raw<boolean>`${at} > ${nowMs}`).compile())
      return row?.at ?? null
    },

    /** It is delivered, or given up. It changes nothing when the lease has gone to somebody else. */
    ended({ seq }: Delivery, owner: string): Statement {
      return sql.deleteFrom('tenant_webhook_deliveries').where('seq', '=', seq).where('owner', '=', owner).compile()
    },

    /** Lets go of a row until its next attempt. */
    released(
      { seq }: Delivery,
      owner: string,
      { attempts, nextAtMs }: { attempts: number; nextAtMs: number }
    ): Statement {
      const row = { attempts, next_at: nextAtMs, owner: null, lease_until: null }
      const query = sql.updateTable('tenant_webhook_deliveries').set(row)
      return query.where('seq', '=', seq).where('owner', '=', owner).compile()
    },

    async count(tenantId: string): Promise<number> {
      const count = raw<number>`count(*)`.as('count')
      const query = sql.selectFrom('tenant_webhook_deliveries').select(count).where('tenant_id', '=', tenantId)
      const [row] = await engine.read(query.compile())
      return Number(row?.count ?? 0)
    }
  }
}
export type WebhookDeliveries = ReturnType<typeof webhookDeliveriesIn>

function toDelivery(row: TenantWebhookDeliveriesTable): Delivery {
  return {
    seq: row.seq,
    tenantId: row.tenant_id,
    place: row.place,
    messageId: row.message_id,
    body: row.body,
    attempts: row.attempts,
    queuedAtMs: row.queued_at
  }
}
