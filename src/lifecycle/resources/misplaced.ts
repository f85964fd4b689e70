import { randomUUID } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { toAuditEvent } from '../../audit/ocsf.ts'
import { type Livestream, names, withoutKey } from '../../domain/livestream.ts'
import { upTo } from '../../domain/values/cache-size.ts'
import type { Clock } from '../../domain/values/clock.ts'
import { type Engine, writeIf } from '../../store/engine/engine.ts'
import type { AuditEvents } from '../../store/tables/audit/audit-events.ts'
import type { KnownMeeting } from '../../store/tables/livestreams.ts'
import type { Meetings } from '../../store/tables/meetings.ts'
import type { Misplaced, RightPlace } from '../../store/tables/misplaced.ts'
import type { Provider } from '../../upstream/provider.ts'
import type { Changes, Deadline } from '../context.ts'
import { subjectOf } from '../reads/shared-reads.ts'

export interface PutRightDeps {
  engine: Pick<Engine, 'write'>
  misplaced: Misplaced
  meetings: Pick<Meetings, 'ownerOf' | 'asStored'>
  auditEvents: Pick<AuditEvents, 'append'>
  /** Forgets what memory knows of a livestream whose row was written. */
  forget(livestreamId: string): void
  changes: Changes
  log: { warn(facts: object, message: string): void }
  clock: Clock
  deadline: Deadline
}

/** An answer has shown a livestream in another meeting than the one that it is known to be of. */
export interface Contradiction {
  livestreamId: string
  known: KnownMeeting
  /** The meeting that it was shown in, and the vendor account that has said so. */
  meetingId: string
  upstream: string
}

/**
 * Corrects where a livestream is. The answer to a start alone may have put it into a wrong meeting. When another answer contradicts that, the
 * vendor is asked by id: if that names the meeting of the contradiction too, the livestream is put there. True when it was. What an
 * answer has proved before stays where it is. Never throws.
 */
export type PutRight = (contradiction: Contradiction, provider: Provider) => Promise<boolean>

/** The vendor is asked so often at most, for all who doubt where a livestream is. */
const askedForMs = 5_000

export function putRight(deps: PutRightDeps): PutRight {
  const { engine, misplaced, meetings, auditEvents, forget, changes, log, clock, deadline } = deps
  const asked = new LRUCache<string, { atMs: number; answer: Promise<Livestream | null> }>(upTo(10_000))

  return async ({ known, livestreamId, meetingId, upstream }, provider) => {
    // A vendor account proves nothing about another account's livestream.
    if (known.isProved || known.upstream !== upstream) return false
    try {
      const livestream = await ask(livestreamId, upstream, provider)
      if (livestream === null || !names(livestream, meetingId)) return false
      const holder = await meetings.ownerOf(meetingId)
      if (holder !== null && holder.upstream !== upstream) return false
      // The vendor may have written it in another case than elsewhere.
      const [stored = meetingId] = await meetings.asStored([meetingId])
      return await move(livestreamId, known, { upstream, meetingId: stored, holder, livestream })
    } catch (err) {
      log.warn(
        { event: 'livestream_meeting_unknown', err, livestream_id: livestreamId },
        'nobody could say which meeting a livestream is of'
      )
      return false
    }
  }

  function ask(id: string, upstream: string, provider: Provider): Promise<Livestream | null> {
    const key = `${upstream}/${id}`
    const nowMs = clock.monotonic()
    const before = asked.get(key)
    if (before !== undefined && nowMs - before.atMs < askedForMs) return before.answer
    const answer = provider
      .findLivestream(id, { pageNo: 1, perPage: 1 }, deadline())
      .then(found => found && withoutKey(found.livestream))
    asked.set(key, { atMs: nowMs, answer })
    return answer
  }

  /** False when somebody else was faster, or the meeting has changed hands. */
  async function move(id: string, known: KnownMeeting, place: RightPlace): Promise<boolean> {
    const nowMs = clock.now()
    const event = auditEvents.append(movedEvent(id, known, place, nowMs))
    const isMoved = await writeIf(engine, [...misplaced.moved(id, known, place, nowMs), event])
    forget(id)
    if (!isMoved) return false
    // No cached answer reaches the tenant that had it.
    changes.note(subjectOf({ ...known, id }))
    const facts = { livestream_id: id, meeting_id: place.meetingId, tenant: place.holder?.tenantId ?? null }
    const before = { from_meeting_id: known.meetingId, from_tenant: known.tenantId }
    log.warn(
      { event: 'livestream_put_right', ...facts, ...before },
      'a livestream was put right: a wrong answer had put it into another meeting'
    )
    return true
  }
}

/** For the operator alone: neither tenant may hear of the other's meeting. */
function movedEvent(id: string, { tenantId, meetingId }: KnownMeeting, to: RightPlace, nowMs: number) {
  const tenants = new Set([tenantId, ...(to.holder === null ? [] : [to.holder.tenantId])])
  const meetings = [...(meetingId === null ? [] : [meetingId]), to.meetingId]
  const resources = [
    { type: 'livestream' as const, uid: id },
    ...[...tenants].map(uid => ({ type: 'tenant' as const, uid })),
    ...meetings.map(uid => ({ type: 'meeting' as const, uid }))
  ]
  const subject = { action: 'moveLivestream', method: 'PUT', tenantId: null, keyId: null, address: null, resources }
  const worker = { actor: { type: 'Gateway' as const, uid: 'putting right' }, requestId: randomUUID() }
  return toAuditEvent({ ...subject, ...worker }, { outcome: 'done' }, nowMs)
}
