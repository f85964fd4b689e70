import { sql as raw } from 'kysely'
import type { Store } from '../../store.ts'

/** Counts of what came to the address of an upstream's webhooks. Times are epoch milliseconds; null: never. */
export interface WebhookCount {
  /** Webhooks that were news. */
  taken: number
  /** Those that were taken before. */
  repeated: number
  /** Those of events that Livegate does not know, or cannot read. */
  unknown: number
  /** Those whose signature proved nothing. */
  refused: number
  takenAtMs: number | null
  refusedAtMs: number | null
  /** The id of the webhook that the last refused one named; anybody can name any. */
  refusedWebhookId: string | null
}

export const noWebhooks: WebhookCount = {
  ...{ taken: 0, repeated: 0, unknown: 0, refused: 0 },
  ...{ takenAtMs: null, refusedAtMs: null, refusedWebhookId: null }
}

/** Counts of webhooks, by upstream; for the operator. */
export function webhookCountsIn({ engine, sql }: Pick<Store, 'engine' | 'sql'>) {
  const sumOf = (column: 'taken' | 'repeated' | 'unknown' | 'refused') =>
    raw<number>`${raw.ref(`webhook_counts.${column}`)} + ${raw.ref(`excluded.${column}`)}`
  const newest = <V>(column: 'taken_at' | 'refused_at' | 'refused_webhook_id') =>
    raw<V>`coalesce(${raw.ref(`excluded.${column}`)}, ${raw.ref(`webhook_counts.${column}`)})`

  return {
    /** Adds what has come since the last time; several processes may. */
    async add(counts: ReadonlyMap<string, WebhookCount>): Promise<void> {
      const statements = [...counts].map(([upstream, { taken, repeated, unknown, refused, ...last }]) =>
        sql
          .insertInto('webhook_counts')
          .values({
            ...{ upstream, taken, repeated, unknown, refused },
            taken_at: last.takenAtMs,
            refused_at: last.refusedAtMs,
            refused_webhook_id: last.refusedWebhookId
          })
          .onConflict(conflict =>
            conflict.column('upstream').doUpdateSet({
              taken: sumOf('taken'),
              repeated: sumOf('repeated'),
              unknown: sumOf('unknown'),
              refused: sumOf('refused'),
              taken_at: newest<number | null>('taken_at'),
              refused_at: newest<number | null>('refused_at'),
              refused_webhook_id: newest<string | null>('refused_webhook_id')
            })
          )
          .compile()
      )
      await engine.write(statements)
    },

    /** By upstream. */
    async all(): Promise<Map<string, WebhookCount>> {
      const rows = await engine.read(sql.selectFrom('webhook_counts').selectAll().compile())
      return new Map(
        rows.map(({ upstream, taken_at, refused_at, refused_webhook_id, ...counts }) => [
          upstream,
          { ...counts, takenAtMs: taken_at, refusedAtMs: refused_at, refusedWebhookId: refused_webhook_id }
        ])
      )
    }
  }
}
export type WebhookCounts = ReturnType<typeof webhookCountsIn>
