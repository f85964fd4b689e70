import { LRUCache } from 'lru-cache'
import type { Caller } from '../../domain/caller.ts'
import { placeOf } from '../../domain/id.ts'
import type { ListedMeeting, Meeting, OwnedMeeting } from '../../domain/meeting.ts'
import type { MeetingChange, NewMeeting } from '../../domain/meeting-wish.ts'
import { MeetingNotFound, UpstreamRefused } from '../../domain/refusals/failures.ts'
import { upTo } from '../../domain/values/cache-size.ts'
import { type Paged, pagingOf } from '../../domain/values/paging.ts'
import { tellTrouble } from '../../domain/values/tell-trouble.ts'
import type { Engine, Statement } from '../../store/engine/engine.ts'
import type { Directory } from '../../store/memory/directory.ts'
import type { MeetingFilter, MeetingRow, Meetings } from '../../store/tables/meetings.ts'
import type { Provider, Upstreams } from '../../upstream/provider.ts'
import { beforeSending } from '../broadcast/before-sending.ts'
import { type Context, providerOf } from '../context.ts'
import type { RetiredMeetings } from '../ends/retired-meetings.ts'
import type { AuditTrail } from '../operations/audit-trail.ts'
import { type Seen, SharedReads } from '../reads/shared-reads.ts'
import type { Adopt } from './adopt.ts'
import { notNew } from './known-meetings.ts'

export interface MeetingsDeps extends Pick<Context, 'clock' | 'deadline' | 'bounded' | 'changes' | 'readTtlMs'> {
  upstreams: Upstreams
  engine: Pick<Engine, 'write'>
  meetings: Pick<Meetings, 'created' | 'ownerOf' | 'observed' | 'missing' | 'list'>
  directory: Pick<Directory, 'forget'>
  adopt: Pick<Adopt, 'newest'>
  auditTrail: AuditTrail
  retired: RetiredMeetings
  log: { warn(facts: object, message: string): void }
}

/** Reads and changes of a tenant's meetings. */
export interface TenantMeetings {
  /** The new meeting belongs to the caller's tenant. It is sent once: a lost answer leaves a meeting that nobody owns. */
  create(caller: Caller, wish: NewMeeting): Promise<Meeting>
  /** @throws MeetingNotFound when the vendor doesn't have it (any more) */
  find(meeting: OwnedMeeting, signal: () => AbortSignal): Promise<Seen<Meeting>>
  /** INACTIVE stops what is live there. @throws MeetingNotFound; ScopeMissing when that needs another scope */
  update(caller: Caller, meeting: OwnedMeeting, change: MeetingChange): Promise<Meeting>
  /** Fields that the wish leaves out are as in a new meeting, but for the status. @throws MeetingNotFound */
  replace(caller: Caller, meeting: OwnedMeeting, wish: NewMeeting): Promise<Meeting>
  /** From our own rows; at most `refreshedPerPage` of the page are asked for anew. */
  list(caller: Caller, filter: MeetingFilter): Promise<Paged<ListedMeeting>>
}

/** A list may cost the vendor's quota at most so many calls. */
const refreshedPerPage = 10
/** A meeting that was seen within this time is shown as it was. */
const freshForMs = 60_000

/** Whether it was seen a moment ago; false when the clock was set back since, as its age is unknown then. */
function isFresh(atMs: number, nowMs: number): boolean {
  return atMs <= nowMs && nowMs - atMs <= freshForMs
}

export function tenantMeetings(deps: MeetingsDeps): TenantMeetings {
  const { upstreams, engine, meetings, directory, adopt, auditTrail, retired, log, clock } = deps
  const { deadline, changes } = deps
  const reads = new SharedReads<Meeting | null>(deps)
  /** As meetings were written down last, and when, on the monotonic clock. */
  const kept = new LRUCache<string, { text: string; onMs: number }>(upTo(10_000))

  /** Asks the vendor, and keeps behind the answer what it said; also that it has no such meeting, so that lists don't ask on. */
  async function look({ id, tenantId, upstream }: OwnedMeeting, signal: AbortSignal): Promise<Meeting | null> {
    const found = providerOf(upstreams, { upstream, tenantId }, 'read').findMeeting(id, signal)
    // An id that the vendor doesn't accept is one that it doesn't have, as far as lists go on asking.
    const seen = await found.catch(error => {
      if (error instanceof UpstreamRefused) keep(id, meetings.missing(tenantId, id, clock.now()))
      throw error
    })
    const [nowMs, onMs] = [clock.now(), clock.monotonic()]
    const text = JSON.stringify(seen)
    const last = kept.get(`${tenantId}/${id}`)
    // A meeting that has not changed keeps its time for as long as a list would not ask again.
    if (last?.text === text && onMs - last.onMs < freshForMs / 2) return seen
    const statements = seen === null ? meetings.missing(tenantId, id, nowMs) : meetings.observed(tenantId, seen, nowMs)
    keep(id, statements, () => kept.set(`${tenantId}/${id}`, { text, onMs }))
    return seen
  }

  function keep(id: string, statements: Statement[], onKept?: () => void): void {
    engine
      .write(statements)
      .then(
        onKept,
        tellTrouble(
          log,
          'warn',
          { event: 'sighting_not_kept', meeting_id: id },
          'what was seen of a meeting could not be kept'
        )
      )
  }

  function changed(
    caller: Caller,
    { id: meetingId, tenantId, upstream }: OwnedMeeting,
    kind: 'update_meeting' | 'replace_meeting',
    change: (provider: Provider, signal: AbortSignal) => Promise<Meeting>
  ): Promise<Meeting> {
    const signal = deadline()
    return auditTrail.around({ caller, kind, upstream, meetingId }, async () => {
      const provider = providerOf(upstreams, { upstream, tenantId }, 'mutation')
      // Also when its answer is lost, or late, the meeting may be another one.
      const meeting = await change(provider, signal).finally(() => {
        changes.note(placeOf({ id: meetingId, upstream }))
        kept.delete(`${tenantId}/${meetingId}`)
      })
      const statements = meetings.observed(tenantId, meeting, clock.now())
      return { value: meeting, data: meeting, status: 200, statements }
    })
  }

  return {
    async create(caller, wish) {
      const { id: tenantId, upstream } = caller.tenant
      const mutation = { caller, kind: 'create_meeting', upstream, meetingId: null } as const
      const signal = deadline()
      const created = await auditTrail.around(mutation, async () => {
        const provider = providerOf(upstreams, { upstream, tenantId }, 'mutation')
        const meeting = await provider.createMeeting(wish, signal)
        const holder = await meetings.ownerOf(meeting.id).catch(() => null)
        if (holder !== null && holder.tenantId !== tenantId) throw notNew('meeting')
        const statements = meetings.created({ id: meeting.id, tenantId, upstream }, meeting, clock.now())
        return { value: meeting, data: meeting, status: 201, meetingId: meeting.id, statements }
      })
      directory.forget(created.id)
      return created
    },

    async find(meeting, signal) {
      const subject = placeOf(meeting)
      const ask = (signal: AbortSignal) => look(meeting, signal)
      // No tenant id has a slash.
      const { value, ...seen } = await reads.read({ key: `${meeting.tenantId}/${subject}`, subject, ask, signal })
      if (value === null) throw new MeetingNotFound()
      return { ...seen, value }
    },

    async update(caller, meeting, change) {
      const isRetired = change.status === 'INACTIVE'
      if (isRetired) await beforeSending(retired.expectMayStop(caller, meeting))
      const updated = await changed(caller, meeting, 'update_meeting', (provider, signal) =>
        provider.updateMeeting(meeting.id, change, signal)
      )
      if (isRetired) await retired.stop(meeting)
      return updated
    },

    replace: (caller, meeting, wish) =>
      changed(caller, meeting, 'replace_meeting', (provider, signal) =>
        provider.replaceMeeting(meeting.id, wish, signal)
      ),

    async list(caller, filter) {
      const tenantId = caller.tenant.id
      await adopt
        .newest(tenantId)
        .catch(err => log.warn({ event: 'adoption_failed', err }, 'what is new at the vendor could not be listed'))
      const { rows, total } = await meetings.list(tenantId, filter)
      const signal = deadline()
      const stale = rows
        .filter(({ observedAtMs }) => observedAtMs === null || !isFresh(observedAtMs, clock.now()))
        .sort((a, b) => (a.observedAtMs ?? 0) - (b.observedAtMs ?? 0))
        .slice(0, refreshedPerPage)
      const refreshed = new Map<string, ListedMeeting>()
      await Promise.all(
        stale.map(async ({ id, upstream }: MeetingRow) => {
          // One that can't be refreshed is shown as it was seen last, with its age.
          const seen = await look({ id, tenantId, upstream }, signal).catch(() => null)
          if (seen !== null) refreshed.set(id, { ...seen, observed_at: new Date(clock.now()).toISOString() })
        })
      )
      const items = rows.map(row => refreshed.get(row.id) ?? row.meeting)
      return { items, paging: pagingOf(filter, items.length, total) }
    }
  }
}
