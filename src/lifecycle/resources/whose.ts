import { setTimeout as sleep } from 'node:timers/promises'
import { LRUCache } from 'lru-cache'
import { placeOf } from '../../domain/id.ts'
import type { OwnedLivestream } from '../../domain/livestream.ts'
import type { OwnedMeeting } from '../../domain/meeting.ts'
import { upTo } from '../../domain/values/cache-size.ts'
import type { Clock } from '../../domain/values/clock.ts'
import type { Directory } from '../../store/memory/directory.ts'
import type { Livestreams } from '../../store/tables/livestreams.ts'
import type { Meetings } from '../../store/tables/meetings.ts'
import type { Upstreams } from '../../upstream/provider.ts'
import type { Adopt } from './adopt.ts'

export interface WhoseDeps {
  upstreams: Upstreams
  meetings: Pick<Meetings, 'ownerOf'>
  livestreams: Pick<Livestreams, 'meetingOf'>
  directory: Pick<Directory, 'livestream'>
  adopt: Pick<Adopt, 'meeting' | 'livestream'>
  clock: Pick<Clock, 'monotonic'>
  /** Least time between two questions about livestreams that nobody knows. */
  strangersEveryMs?: number
  /** Its questions leave the quota to everything else. */
  isBackground?: boolean
}

/** Ids of the vendor, as far as it has named them. */
export interface NamedByVendor {
  upstream: string
  meetingId: string | null
  livestreamId: string | null
}

/** A meeting of a tenant, or its livestream that has no meeting; null when it is nobody's. */
export type Subject = { meeting: OwnedMeeting } | { livestream: OwnedLivestream } | null

/** @throws what the store and a Provider throw, and Error when too many ask for what nobody knows */
export type Whose = (named: NamedByVendor, signal: AbortSignal) => Promise<Subject>

/** An id that was nobody's is not asked for again meanwhile. */
const nobodysForMs = 60_000
const longestTurnMs = 5_000
/** Many shows may begin at once in an account of a tenant's own. */
const meetingsAtOnce = 30

/** Finds out whose it is that the vendor tells of by itself: it names ids of its own, and no tenant. */
export function whose(deps: WhoseDeps): Whose {
  const { upstreams, meetings, livestreams, directory, adopt, clock } = deps
  const { strangersEveryMs = 1_000, isBackground = false } = deps
  const nobodys = new LRUCache<string, true>({ ...upTo(10_000), ttl: nobodysForMs })
  /** When the next question may be sent, for each upstream and kind. Any customer of the vendor can make us ask. */
  const nextAtMs = new Map<string, number>()

  return async ({ upstream, meetingId, livestreamId }, signal) => {
    const dedicatedTo = upstreams.get(upstream)?.dedicatedTo ?? null
    if (meetingId !== null) return ofMeeting(upstream, meetingId, dedicatedTo, signal)
    if (livestreamId === null) return null
    const known = await livestreams.meetingOf(livestreamId)
    if (known !== null && known.upstream !== upstream) return null
    if (known?.meetingId != null) return ofMeeting(upstream, known.meetingId, dedicatedTo, signal)
    if (known !== null) return ofLivestream(known.tenantId, livestreamId)
    return ofStranger(upstream, livestreamId, dedicatedTo, signal)
  }

  async function ofMeeting(
    upstream: string,
    meetingId: string,
    dedicatedTo: string | null,
    signal: AbortSignal
  ): Promise<Subject> {
    const held = await meetings.ownerOf(meetingId)
    const owner = held ?? (dedicatedTo === null ? null : await adoptedMeeting(upstream, meetingId, dedicatedTo, signal))
    return owner?.upstream === upstream ? { meeting: owner } : null
  }

  /** A meeting that nobody holds may be one of the tenant's that Livegate has not seen yet, or one of another account. */
  async function adoptedMeeting(
    upstream: string,
    meetingId: string,
    dedicatedTo: string,
    signal: AbortSignal
  ): Promise<OwnedMeeting | null> {
    const key = `meeting ${placeOf({ id: meetingId, upstream })}`
    if (nobodys.has(key)) return null
    await turn(`meetings of ${upstream}`, signal, meetingsAtOnce)
    const meeting = await adopt.meeting(dedicatedTo, meetingId, false)
    if (meeting === null) nobodys.set(key, true)
    return meeting
  }

  async function ofLivestream(tenantId: string, livestreamId: string): Promise<Subject> {
    const livestream = await directory.livestream(tenantId, livestreamId)
    return livestream && { livestream }
  }

  /** Asks the vendor: a browser may have begun it in a meeting of ours, and not all vendors name the meeting. */
  async function ofStranger(
    upstream: string,
    livestreamId: string,
    dedicatedTo: string | null,
    signal: AbortSignal
  ): Promise<Subject> {
    const key = placeOf({ id: livestreamId, upstream })
    if (nobodys.has(key)) return null
    await turn(upstream, signal)
    const provider = upstreams.get(upstream)?.on({ tenantId: 'operator', priority: 'read', isBackground })
    const found = await provider?.findLivestream(livestreamId, { pageNo: 1, perPage: 1 }, signal)
    const meetingId = found?.livestream.meeting_id
    const adopted = found && meetingId === null && dedicatedTo !== null
    const subject = adopted
      ? await adoptedLivestream(dedicatedTo, livestreamId)
      : meetingId == null
        ? null
        : await ofMeeting(upstream, meetingId, dedicatedTo, signal)
    if (subject === null) nobodys.set(key, true)
    return subject
  }

  async function adoptedLivestream(tenantId: string, livestreamId: string): Promise<Subject> {
    const livestream = await adopt.livestream(tenantId, livestreamId, false)
    return livestream && { livestream }
  }

  /** @param atOnce so many need not wait after a pause */
  async function turn(key: string, signal: AbortSignal, atOnce = 1): Promise<void> {
    const nowMs = clock.monotonic()
    const earliestMs = nowMs - (atOnce - 1) * strangersEveryMs
    const atMs = Math.max(earliestMs, nextAtMs.get(key) ?? earliestMs)
    if (atMs - nowMs > longestTurnMs) throw new Error('too many livestreams that nobody knows')
    nextAtMs.set(key, atMs + strangersEveryMs)
    if (atMs > nowMs) await sleep(atMs - nowMs, undefined, { signal, ref: false })
  }
}
