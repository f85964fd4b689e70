import { sql as raw } from 'kysely'
import { isUuid, likelySpelling, spelled } from '../../../domain/id.ts'
import type { Meeting, OwnedMeeting } from '../../../domain/meeting.ts'
import { type Statement, writeIf } from '../../engine/engine.ts'
import { type MeetingsTable, nextRevision, thisRevision } from '../../schema/database.ts'
import { areSpelled, asStored } from '../../schema/spelling.ts'
import type { Store } from '../../store.ts'

/** Result of assigning a meeting: `taken` when another tenant has it. */
export type Assigned = 'assigned' | 'unchanged' | 'taken'

/** Largest number of meetings in a transaction, so that a file of thousands doesn't hold the store for long. */
const assignAtOnce = 500

/** Changes of who has a meeting. */
export function meetingOwnership({ engine, sql }: Store) {
  return {
    /** Statements that make the meeting the tenant's, as seen just now. Together with the outcome of its creation. */
    created(owner: OwnedMeeting, meeting: Meeting, nowMs: number): Statement[] {
      const seen = { title: meeting.title ?? null, snapshot: JSON.stringify(meeting), observed_at: nowMs }
      return [
        nextRevision(sql),
        { ...assignment(owner, nowMs, { ...seen, upstream: owner.upstream }, true), changes: 1 }
      ]
    },

    /**
     * Gives meetings to a tenant; those that another tenant holds are left and named.
     * @param upstream has those that had no owner before; the others stay where they are known to be
     * @param record belongs into the same transaction, for those that are assigned by it
     * @param isThere all of them are at that upstream, whatever is known
     * @param ids as they are stored, where they are; what came in another case was given to `asStored` first
     */
    async assign(
      tenantId: string,
      upstream: string,
      ids: string[],
      nowMs: number,
      record: (assigned: string[]) => Statement[] = () => [],
      isThere = false
    ): Promise<Map<string, Assigned>> {
      const result = new Map<string, Assigned>()
      const wanted = [...new Map(ids.map(id => [likelySpelling(id), id])).values()]
      for (let from = 0; from < wanted.length; ) {
        const part = wanted.slice(from, from + assignAtOnce)
        const owners = await ownersOf(part)
        const free = part.filter(id => !owners.has(likelySpelling(id)))
        const statements = free.flatMap(id => [
          { ...assignment({ id, tenantId, upstream }, nowMs, isThere ? { upstream } : {}), changes: 1 },
          returnLivestreams(tenantId, id)
        ])
        if (free.length > 0 && !(await writeIf(engine, [nextRevision(sql), ...statements, ...record(free)]))) {
          continue // somebody else was faster with one of them: look again
        }
        for (const id of part) {
          const owner = owners.get(likelySpelling(id))
          result.set(id, owner === undefined ? 'assigned' : owner === tenantId ? 'unchanged' : 'taken')
        }
        from += assignAtOnce
      }
      return result
    },

    /**
     * Takes a meeting, and with it its livestreams, from its tenant. False when nobody has it.
     * @param also belongs into the same transaction
     */
    async release(id: string, nowMs: number, ...also: Statement[]): Promise<boolean> {
      const meeting = sql
        .updateTable('meetings')
        .set({ released_at: nowMs, revision: thisRevision() })
        .where('id', '=', id)
        .where('released_at', 'is', null)
      const livestreams = sql
        .updateTable('livestreams')
        .set({ released_at: nowMs, revision: thisRevision() })
        .where('meeting_id', '=', id)
        .where('released_at', 'is', null)
      return writeIf(engine, [nextRevision(sql), { ...meeting.compile(), changes: 1 }, livestreams.compile(), ...also])
    }
  }

  /** Owners by the likely spelling of the id: one that is stored in another case is taken all the same. */
  async function ownersOf(ids: string[]): Promise<Map<string, string>> {
    const held = sql.selectFrom('meetings').select(['id', 'tenant_id']).where('released_at', 'is', null)
    const uuids = ids.map(likelySpelling).filter(isUuid)
    const others = ids.filter(id => !isUuid(id))
    const queries = [
      ...(uuids.length > 0 ? [held.where(areSpelled(uuids))] : []),
      ...(others.length > 0 ? [held.where('id', 'in', others)] : [])
    ]
    const rows = await Promise.all(queries.map(query => engine.read(query.compile())))
    return new Map(rows.flat().map(row => [likelySpelling(row.id), row.tenant_id]))
  }

  /** Takes effect, and returns a row, only when nobody holds the meeting. */
  function assignment(
    { id, tenantId, upstream }: OwnedMeeting,
    nowMs: number,
    seen: Partial<MeetingsTable> = {},
    isOwn = false
  ) {
    const values = { tenant_id: tenantId, created_at: nowMs, released_at: null, ...seen }
    return sql
      .insertInto('meetings')
      .values({ ...values, id: asStored('meetings', spelled(id)), upstream, revision: thisRevision() })
      .onConflict(conflict =>
        conflict
          .column('id')
          .doUpdateSet({ ...values, revision: thisRevision() })
          // A tenant may have found its new meeting before its creation is written down.
          .where(where =>
            where.or([
              where('meetings.released_at', 'is not', null),
              ...(isOwn ? [where('meetings.tenant_id', '=', tenantId)] : [])
            ])
          )
      )
      .returning('id')
      .compile()
  }

  /** A tenant that gets its meeting back gets back what it had seen in it. */
  function returnLivestreams(tenantId: string, meetingId: string) {
    return sql
      .updateTable('livestreams')
      .set({ released_at: null, revision: thisRevision() })
      .where('meeting_id', '=', meetingId)
      .where('tenant_id', '=', tenantId)
      .where('released_at', 'is not', null)
      .where(
        raw<boolean>`exists (select 1 from meetings m where m.id = ${meetingId} and m.tenant_id = ${tenantId} and m.released_at is null)`
      )
      .compile()
  }
}
