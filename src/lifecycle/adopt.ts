import { randomUUID } from 'node:crypto'
import { toAuditEvent } from '../audit/ocsf.ts'
import type { Clock } from '../domain/clock.ts'
import { UpstreamRefused } from '../domain/failures.ts'
import type { OwnedLivestream } from '../domain/livestream.ts'
import type { OwnedMeeting } from '../domain/meeting.ts'
import type { AuditEvents } from '../store/audit-events.ts'
import type { Directory } from '../store/directory.ts'
import type { Statement } from '../store/engine.ts'
import type { Meetings } from '../store/meetings.ts'
import type { Lane, Provider, Upstreams } from '../upstream/provider.ts'
import type { Deadline } from './deadline.ts'
import type { Observe } from './observe.ts'

export interface AdoptDeps {
  upstreams: Upstreams
  meetings: Pick<Meetings, 'assign'>
  directory: Pick<Directory, 'meeting' | 'livestream' | 'forget'>
  auditEvents: Pick<AuditEvents, 'append'>
  observe: Observe
  clock: Clock
  deadline: Deadline
}

/**
 * What is in an upstream that is dedicated to a tenant belongs to that tenant: an id that nobody has is looked for there and
 * becomes the tenant's when it is there. Null for all else, and at once where the tenant has no such upstream.
 */
export interface Adopt {
  meeting(tenantId: string, id: string, urgent: boolean): Promise<OwnedMeeting | null>
  livestream(tenantId: string, id: string, urgent: boolean): Promise<OwnedLivestream | null>
  /** Makes the newest meetings known, before they are listed. */
  newest(tenantId: string): Promise<void>
}

/** A list asks the vendor this often at most, and for so many meetings. */
const newestEveryMs = 60_000
const pages = 8
const perPage = 25
/** Behind the last page. */
const end = Number.POSITIVE_INFINITY

export function adopter(deps: AdoptDeps): Adopt {
  const { upstreams, meetings, directory, auditEvents, observe, clock, deadline } = deps
  /** When the newest were looked for, by upstream, and which page of the older ones comes next. */
  const seen = new Map<string, { atMs: number; next: number }>()

  const ownOf = (tenantId: string): string[] =>
    [...upstreams].filter(([, { dedicatedTo }]) => dedicatedTo === tenantId).map(([name]) => name)

  const at = (tenantId: string, name: string, lane: Lane): Provider | undefined =>
    upstreams.get(name)?.on({ tenantId, lane })

  /** How many of them were nobody's; those that another tenant holds stay there. */
  async function take(tenantId: string, upstream: string, ids: string[]): Promise<number> {
    const record = (assigned: string[]): Statement[] => {
      const resources = [{ type: 'tenant' as const, uid: tenantId }, ...assigned.map(toResource)]
      const subject = { action: 'assignMeeting', method: 'POST', tenantId, keyId: null, address: null, resources }
      const worker = { actor: { type: 'Gateway' as const, uid: 'adopting' }, requestId: randomUUID() }
      return [auditEvents.append(toAuditEvent({ ...subject, ...worker }, { outcome: 'done' }, clock.now()))]
    }
    const results = await meetings.assign(tenantId, upstream, ids, clock.now(), record, true)
    const taken = ids.filter(id => results.get(id) === 'assigned')
    for (const id of taken) directory.forget(id)
    return taken.length
  }

  async function meeting(tenantId: string, id: string, urgent: boolean): Promise<OwnedMeeting | null> {
    for (const name of ownOf(tenantId)) {
      const look = at(tenantId, name, urgent ? 'mutation' : 'read')?.findMeeting(id, deadline())
      if ((await look?.catch(nullIfRefused)) == null) continue
      await take(tenantId, name, [id])
      return directory.meeting(tenantId, id)
    }
    return null
  }

  return {
    meeting,

    async livestream(tenantId, id, urgent) {
      for (const name of ownOf(tenantId)) {
        const vendor = at(tenantId, name, urgent ? 'mutation' : 'read')
        const found = await vendor?.findLivestream(id, { pageNo: 1, perPage: 1 }, deadline()).catch(nullIfRefused)
        if (found == null) continue
        const { livestream } = found
        const meetingId = livestream.meeting_id ?? null
        if (meetingId !== null) {
          const known = (await directory.meeting(tenantId, meetingId)) ?? (await meeting(tenantId, meetingId, urgent))
          if (known?.upstream !== name) continue
        }
        await observe({ id, tenantId, upstream: name, meetingId }, livestream)
        return directory.livestream(tenantId, id)
      }
      return null
    },

    async newest(tenantId) {
      for (const name of ownOf(tenantId)) {
        const nowMs = clock.monotonic()
        const before = seen.get(name) ?? { atMs: Number.NEGATIVE_INFINITY, next: 2 }
        if (nowMs - before.atMs < newestEveryMs) continue
        seen.set(name, { ...before, atMs: nowMs })
        const signal = deadline()
        const takePage = async (pageNo: number) => {
          const found = await at(tenantId, name, 'read')?.findMeetings({ pageNo, perPage }, signal)
          const ids = found?.map(({ id }) => id) ?? []
          return { shown: ids.length, taken: ids.length === 0 ? 0 : await take(tenantId, name, ids) }
        }
        const first = await takePage(1)
        // A page of nothing but new ones: what was behind it has moved.
        let { next } = first.shown > 0 && first.taken === first.shown ? { next: 2 } : before
        for (let i = 1; i < pages && next !== end; i++) next = (await takePage(next)).shown === 0 ? end : next + 1
        seen.set(name, { atMs: nowMs, next })
      }
    }
  }
}

function toResource(uid: string) {
  return { type: 'meeting' as const, uid }
}

/** An id that the vendor does not accept is one that it doesn't have. */
function nullIfRefused(error: unknown): null {
  if (!(error instanceof UpstreamRefused)) throw error
  return null
}
