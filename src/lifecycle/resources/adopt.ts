import { randomUUID } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { toAuditEvent } from '../../audit/ocsf.ts'
import { inEvents } from '../../domain/audit/audit-event.ts'
import type { OwnedLivestream } from '../../domain/livestream.ts'
import type { OwnedMeeting } from '../../domain/meeting.ts'
import { UpstreamRefused } from '../../domain/refusals/failures.ts'
import { upTo } from '../../domain/values/cache-size.ts'
import type { Clock } from '../../domain/values/clock.ts'
import { type Statement, StoreError } from '../../store/engine/engine.ts'
import type { Directory } from '../../store/memory/directory.ts'
import type { AuditEvents } from '../../store/tables/audit/audit-events.ts'
import type { Meetings } from '../../store/tables/meetings.ts'
import type { Priority, Provider, Upstreams } from '../../upstream/provider.ts'
import type { Holds } from '../broadcast/before-sending.ts'
import type { Deadline } from '../context.ts'
import { lookOf } from '../ledger/sightings.ts'
import { adoptNewest } from './adopt-newest.ts'
import type { RememberLivestream } from './remember.ts'

export interface AdoptDeps {
  upstreams: Upstreams
  meetings: Pick<Meetings, 'asStored' | 'assign' | 'ownerOf'>
  holds: Holds
  directory: Pick<Directory, 'meeting' | 'livestream' | 'forget'>
  auditEvents: Pick<AuditEvents, 'append'>
  rememberLivestream: RememberLivestream
  clock: Clock
  deadline: Deadline
}

/**
 * Meetings and livestreams of an upstream that is dedicated to a tenant belong to that tenant. An id that nobody has is looked
 * for there, and becomes the tenant's when it is there. Null for all else, and at once where the tenant has no such upstream.
 */
export interface Adopt {
  /** @param id as the vendor would write it */
  meeting(tenantId: string, id: string, urgent: boolean): Promise<OwnedMeeting | null>
  livestream(tenantId: string, id: string, urgent: boolean): Promise<OwnedLivestream | null>
  /** Makes the newest meetings known, before they are listed. */
  newest(tenantId: string): Promise<void>
}

/** A meeting that was not there within this time is not looked for again. */
const missingForMs = 2_000
/** So many urgent looks of a tenant pass whatever holds others back: a stop of made-up ids is not worth the quota. */
const urgentLooks = { count: 10, withinMs: 10_000 }

export function adopter(deps: AdoptDeps): Adopt {
  const { upstreams, meetings, holds, directory, auditEvents, rememberLivestream, clock, deadline } = deps
  const missing = new LRUCache<string, number>(upTo(10_000))
  const urgent = new LRUCache<string, number[]>(upTo(10_000))

  const ownOf = (tenantId: string): string[] =>
    [...upstreams].filter(([, { dedicatedTo }]) => dedicatedTo === tenantId).map(([name]) => name)

  function priorityOf(tenantId: string, isUrgent: boolean): Priority {
    if (!isUrgent) return 'read'
    const nowMs = clock.monotonic()
    const recent = (urgent.get(tenantId) ?? []).filter(atMs => nowMs - atMs < urgentLooks.withinMs)
    if (recent.length >= urgentLooks.count) return 'read'
    urgent.set(tenantId, [...recent, nowMs])
    return 'stop'
  }

  /**
   * Where the first of the tenant's own vendors has it, with what it shows; one that hangs holds back no other. Of an urgent look, when
   * it can be nowhere else, also the one that could not be asked, with the `trouble`.
   */
  async function findIn<T>(
    tenantId: string,
    id: string,
    isUrgent: boolean,
    look: (vendor: Provider, signal: AbortSignal) => Promise<T | null>
  ): Promise<{ name: string; found: T } | { name: string; trouble: unknown } | null> {
    const names = ownOf(tenantId)
    if (names.length === 0) return null
    const key = `${tenantId}/${id}`
    if (clock.monotonic() - (missing.get(key) ?? Number.NEGATIVE_INFINITY) < missingForMs) return null
    const priority = priorityOf(tenantId, isUrgent)
    const signal = deadline()
    const looks = names.map(async name => {
      const vendor = upstreams.get(name)?.on({ tenantId, priority })
      const found = (await (vendor && look(vendor, signal))?.catch(nullIfRefused)) ?? null
      if (found === null) throw new NotThere()
      return { name, found }
    })
    try {
      return await Promise.any(looks)
    } catch (error) {
      const { errors } = error as AggregateError
      const [unasked, ...others] = names
        .map((name, i) => ({ name, trouble: errors[i] }))
        .filter(({ trouble }) => !(trouble instanceof NotThere))
      if (unasked !== undefined && others.length === 0 && priority === 'stop') return unasked
      if (unasked !== undefined) throw unasked.trouble
      missing.set(key, clock.monotonic())
      return null
    }
  }

  /** How many of them were nobody's; those that another tenant holds stay there. */
  async function take(tenantId: string, upstream: string, shown: string[]): Promise<number> {
    const ids = await meetings.asStored(shown)
    const record = (assigned: string[]): Statement[] =>
      inEvents(assigned).map(group => {
        const resources = [{ type: 'tenant' as const, uid: tenantId }, ...group.map(toResource)]
        const subject = { action: 'assignMeeting', method: 'POST', tenantId, keyId: null, address: null, resources }
        const worker = { actor: { type: 'Gateway' as const, uid: 'adopting' }, requestId: randomUUID() }
        return auditEvents.append(toAuditEvent({ ...subject, ...worker }, { outcome: 'done' }, clock.now()))
      })
    const results = await meetings.assign(tenantId, upstream, ids, clock.now(), record, true)
    const taken = ids.filter(id => results.get(id) === 'assigned')
    for (const id of taken) directory.forget(id)
    return taken.length
  }

  async function holderOf(tenantId: string, upstream: string, meetingId: string): Promise<OwnedMeeting | null> {
    await take(tenantId, upstream, [meetingId])
    return directory.meeting(tenantId, meetingId)
  }

  return {
    async meeting(tenantId, id, isUrgent) {
      const there = await findIn(tenantId, id, isUrgent, (vendor, signal) => vendor.findMeeting(id, signal))
      if (there === null) return null
      const owner = { id, tenantId, upstream: there.name }
      if ('trouble' in there) {
        // A stop goes on: the vendor that can't show the meeting may stop it all the same, now or when it is repeated.
        if (await holds(owner)) return owner
        throw there.trouble
      }
      try {
        await take(tenantId, there.name, [id])
      } catch (error) {
        // A stop does not wait for a disk; but what another tenant holds is not there for it.
        if (!isUrgent || !(error instanceof StoreError)) throw error
        return (await meetings.ownerOf(id)) === null ? owner : null
      }
      return directory.meeting(tenantId, id)
    },

    async livestream(tenantId, id, isUrgent) {
      const page = { pageNo: 1, perPage: 1 }
      const askedAtMs = clock.monotonic()
      const there = await findIn(tenantId, id, isUrgent, (vendor, signal) => vendor.findLivestream(id, page, signal))
      if (there === null) return null
      if ('trouble' in there) throw there.trouble
      const { name, found } = there
      const { meeting_id: meetingId } = found.livestream
      // An answer that doesn't say whose it is might be of another tenant's meeting.
      if (meetingId === undefined) return null
      const meeting = meetingId === null ? null : await holderOf(tenantId, name, meetingId)
      if (meetingId !== null && meeting?.upstream !== name) return null
      const owner = { id, tenantId, upstream: name, meetingId: meeting?.id ?? null, isProved: true }
      await rememberLivestream(owner, found.livestream, lookOf(found, askedAtMs))
      return directory.livestream(tenantId, id)
    },

    newest: adoptNewest({ ownOf, upstreams, take, clock, deadline })
  }
}

class NotThere extends Error {}

function toResource(uid: string) {
  return { type: 'meeting' as const, uid }
}

/** An id that the vendor does not accept is one that it doesn't have. */
function nullIfRefused(error: unknown): null {
  if (!(error instanceof UpstreamRefused)) throw error
  return null
}
