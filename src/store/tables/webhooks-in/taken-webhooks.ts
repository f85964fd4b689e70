import { type RawBuilder, sql as raw } from 'kysely'
import { type HeardEvent, isUnmistakable, type WebhookNotice } from '../../../domain/webhooks/vendor-webhook.ts'
import type { Store } from '../../store.ts'

/** A webhook that has proved to be the vendor's. */
export interface WebhookDelivery extends WebhookNotice {
  /** Null where the vendor has sent none. */
  readonly deliveryId: string | null
  /** SHA-256 of the body, in hex. The body itself is kept nowhere. */
  readonly bodyDigest: string
}

/** A delivery that was taken, and not looked after yet. */
export interface OpenDelivery extends WebhookNotice {
  readonly seq: number
}

/** For so long a body without a time in it is the same news, as long as nothing else was heard. */
const sameNewsMs = 600_000
/** So many are kept at most, whatever their age: a vendor may have a lot to say of what is nobody's. */
const mostKept = 200_000

/** Webhooks that were taken, for 7 days: each is taken once. */
export function takenWebhooksIn({ engine, sql }: Pick<Store, 'engine' | 'sql'>) {
  const all = () => sql.selectFrom('webhook_deliveries as d')

  /** Whether this body was taken before, and says nothing new. */
  function isToldBefore(delivery: WebhookDelivery, nowMs: number): RawBuilder<boolean> {
    const { upstream, bodyDigest, livestreamId } = delivery
    const same = all().select('d.seq').where('d.upstream', '=', upstream).where('d.body_digest', '=', bodyDigest)
    if (isUnmistakable(delivery)) return raw<boolean>`exists ${same}`
    // The next run of a livestream is told of in the same words (contract#livestreaming-status-update).
    const ofLivestream = all().where('d.upstream', '=', upstream).where('d.livestream_id', '=', livestreamId)
    const last = ofLivestream.select(eb => eb.fn.max('d.seq').as('seq'))
    const recent = same.where('d.seq', '=', last)
    // The clock may have been set back since.
    const around = recent
      .where('d.received_at', '>', nowMs - sameNewsMs)
      .where('d.received_at', '<', nowMs + sameNewsMs)
    return raw<boolean>`exists ${around}`
  }

  return {
    /**
     * Takes a delivery, durably: null when it was taken before, by its id or by its body; else its number.
     * @throws Expired when that takes longer than `withinMs`, and StoreError
     */
    async take(delivery: WebhookDelivery, nowMs: number, withinMs: number): Promise<number | null> {
      const { upstream, deliveryId, bodyDigest, event, meetingId, livestreamId, sessionId } = delivery
      const sameId = all().select('d.seq').where('d.upstream', '=', upstream).where('d.delivery_id', '=', deliveryId)
      const query = raw<{ seq: number }>`insert into webhook_deliveries
          (seq, upstream, delivery_id, body_digest, event, meeting_id, livestream_id, session_id, received_at)
        select (select coalesce(max(seq), 0) + 1 from webhook_deliveries),
          ${upstream}, ${deliveryId}, ${bodyDigest}, ${event}, ${meetingId}, ${livestreamId}, ${sessionId},
          cast(${nowMs} as bigint)
        where not exists ${sameId} and not ${isToldBefore(delivery, nowMs)}
        returning seq`
      const [[row] = []] = await engine.write([query.compile(sql)], { withinMs })
      return row === undefined ? null : Number(row.seq)
    },

    /** Marks deliveries as looked after. */
    async noticed(seqs: readonly number[], nowMs: number): Promise<void> {
      const query = sql.updateTable('webhook_deliveries').set({ noticed_at: nowMs }).where('seq', 'in', seqs)
      await engine.write([query.compile()])
    },

    /** Deliveries of an earlier process that nobody has looked after, the oldest first; so many at most. */
    async open(sinceMs: number, limit: number): Promise<OpenDelivery[]> {
      const query = all()
        .select(['d.seq', 'd.upstream', 'd.event', 'd.meeting_id', 'd.livestream_id', 'd.session_id'])
        .where('d.noticed_at', 'is', null)
        .where('d.received_at', '>=', sinceMs)
        .orderBy('d.seq')
        .limit(limit)
      const rows = await engine.read(query.compile())
      return rows.map(row => ({
        seq: Number(row.seq),
        upstream: row.upstream,
        event: row.event as HeardEvent,
        meetingId: row.meeting_id,
        livestreamId: row.livestream_id,
        sessionId: row.session_id
      }))
    },

    /** Removes some that were received before, or are too many. Gives their number. */
    async removeOld(beforeMs: number, limit: number): Promise<number> {
      const old = all()
        .select('d.seq')
        .where(where =>
          where.or([
            where('d.received_at', '<', beforeMs),
            raw<boolean>`d.seq <= (select max(seq) from webhook_deliveries) - ${mostKept}`
          ])
        )
        .limit(limit)
      const query = sql.deleteFrom('webhook_deliveries').where('seq', 'in', old).returning('seq')
      const [removed = []] = await engine.write([query.compile()])
      return removed.length
    }
  }
}
export type TakenWebhooks = ReturnType<typeof takenWebhooksIn>
