import { sql as raw } from 'kysely'
import { isFigure } from '../../domain/analytics.ts'
import { spelled } from '../../domain/id.ts'
import type { LivestreamSession } from '../../domain/livestream.ts'
import type { OwnedMeeting } from '../../domain/meeting.ts'
import type { OwnedRun, OwnedSession } from '../../domain/session.ts'
import type { Statement } from '../engine/engine.ts'
import { asStored, isSpelled } from '../schema/spelling.ts'
import type { Store } from '../store.ts'
import type { LivestreamOwner } from './livestreams.ts'

/**
 * The tables `livestream_sessions` (runs) and `meeting_sessions`: which of them a tenant was shown. They follow their livestream and
 * their meeting: a tenant that has lost it has lost them, and one that has it now has them as soon as they are shown to it.
 */
export function sessionsIn({ engine, sql }: Store) {
  return {
    /** Null unless it was shown to this tenant. Whether the livestream is the tenant's still, its own row says. */
    async findRun(tenantId: string, id: string): Promise<OwnedRun | null> {
      const query = sql
        .selectFrom('livestream_sessions')
        .select(['id', 'livestream_id'])
        .where(isSpelled(spelled(id)))
      const [row] = await engine.read(query.where('tenant_id', '=', tenantId).compile())
      return row === undefined ? null : { id: row.id, tenantId, livestreamId: row.livestream_id }
    },

    /** Null unless it was shown to this tenant. Whether the meeting is the tenant's still, its own row says. */
    async findSession(tenantId: string, id: string): Promise<OwnedSession | null> {
      const query = sql
        .selectFrom('meeting_sessions')
        .select(['id', 'meeting_id'])
        .where(isSpelled(spelled(id)))
      const [row] = await engine.read(query.where('tenant_id', '=', tenantId).compile())
      return row === undefined ? null : { id: row.id, tenantId, meetingId: row.meeting_id }
    },

    /** A statement that keeps a run as it was shown just now. One of another livestream, or tenant, with its id stays as it is. */
    runSeen({ id: livestreamId, tenantId }: LivestreamOwner, run: LivestreamSession, nowMs: number): Statement {
      const { ingest_seconds, viewer_seconds } = run
      // A figure that is missing, or none, leaves the one that was seen before.
      const seen = {
        tenant_id: tenantId,
        ...(isFigure(ingest_seconds) && { ingest_seconds }),
        ...(isFigure(viewer_seconds) && { viewer_seconds }),
        observed_at: nowMs
      }
      const values = { ingest_seconds: 0, viewer_seconds: 0, ...seen }
      const isHolder = raw<boolean>`exists (select 1 from livestreams l where l.id = ${livestreamId} and l.tenant_id = ${tenantId} and l.released_at is null)`
      return sql
        .insertInto('livestream_sessions')
        .values({
          ...values,
          id: asStored('livestream_sessions', spelled(run.id)),
          livestream_id: livestreamId,
          began_at: beganAtMs(run) ?? nowMs
        })
        .onConflict(conflict =>
          conflict
            .column('id')
            .doUpdateSet(seen)
            .where('livestream_sessions.livestream_id', '=', livestreamId)
            .where(where => where.or([where('livestream_sessions.tenant_id', '=', tenantId), isHolder]))
        )
        .compile()
    },

    /** The same for the session of a meeting. */
    sessionSeen({ id: meetingId, tenantId }: OwnedMeeting, id: string, nowMs: number): Statement {
      const values = { tenant_id: tenantId, observed_at: nowMs }
      const isHolder = raw<boolean>`exists (select 1 from meetings m where m.id = ${meetingId} and m.tenant_id = ${tenantId} and m.released_at is null)`
      return sql
        .insertInto('meeting_sessions')
        .values({ ...values, id: asStored('meeting_sessions', spelled(id)), meeting_id: meetingId })
        .onConflict(conflict =>
          conflict
            .column('id')
            .doUpdateSet(values)
            .where('meeting_sessions.meeting_id', '=', meetingId)
            .where(where => where.or([where('meeting_sessions.tenant_id', '=', tenantId), isHolder]))
        )
        .compile()
    }
  }
}
export type Sessions = ReturnType<typeof sessionsIn>

function beganAtMs({ invoked_time, started_time, created_at }: LivestreamSession): number | null {
  const ms = Date.parse(invoked_time ?? started_time ?? created_at ?? '')
  return Number.isNaN(ms) ? null : ms
}
