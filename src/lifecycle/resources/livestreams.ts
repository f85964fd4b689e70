import type { Caller } from '../../domain/caller.ts'
import type { OwnedLivestream } from '../../domain/livestream.ts'
import { isRunning, type ListedLivestream, withoutKey } from '../../domain/livestream.ts'
import { LivestreamNotFound } from '../../domain/refusals/failures.ts'
import { type Page, type Paged, pagingOf } from '../../domain/values/paging.ts'
import type { LivestreamFilter, Livestreams } from '../../store/tables/livestreams.ts'
import type { BroadcastRuns } from '../../store/tables/runs/broadcast-runs.ts'
import type { LivestreamWithSessions, Upstreams } from '../../upstream/provider.ts'
import { type Context, upstreamOf, waitBriefly } from '../context.ts'
import { lookOf, type Sightings } from '../ledger/sightings.ts'
import { type Seen, SharedReads, subjectOf } from '../reads/shared-reads.ts'
import type { EndingRuns } from '../running/ending-runs.ts'
import type { IsComing } from '../running/is-coming.ts'
import type { OwnStarts } from '../running/own-actions.ts'
import { isProvedBy, type KnownMeetings } from './known-meetings.ts'
import { type RememberLivestream, type RememberRuns, withoutEnding } from './remember.ts'

export interface LivestreamsDeps extends Pick<Context, 'clock' | 'deadline' | 'bounded' | 'changes' | 'readTtlMs'> {
  upstreams: Upstreams
  livestreams: Pick<Livestreams, 'unfinished' | 'list' | 'observe' | 'unseenForMs' | 'gone'>
  rememberLivestream: RememberLivestream
  runs: Pick<BroadcastRuns, 'countLive'>
  sightings: Sightings
  rememberRuns: RememberRuns
  isComing: IsComing
  endingRuns: Pick<EndingRuns, 'showEnding'>
  ownStarts: Pick<OwnStarts, 'believed' | 'begunRun'>
  knownMeetings: Pick<KnownMeetings, 'ofOwner'>
  log: { warn(facts: object, message: string): void }
  settleMs: number
}

/** Reads of a tenant's livestreams. */
export interface TenantLivestreams {
  /**
   * As the vendor has shown it within the last `LIVEGATE_READ_TTL_MS`, with a page of its runs.
   * @throws LivestreamNotFound when the vendor doesn't have it
   */
  find(livestream: OwnedLivestream, page: Page, signal: () => AbortSignal): Promise<Seen<LivestreamWithSessions>>
  /** From our own rows; at most `refreshedPerList` of those whose run isn't over are asked for first. Never with stream keys. */
  list(caller: Caller, filter: LivestreamFilter): Promise<Paged<ListedLivestream>>
  /** Asks the vendor now, whatever is known: what it says is kept, and shown to those who read next. @param isBackground nobody waits for it */
  refresh(livestream: OwnedLivestream, signal: AbortSignal, isBackground?: boolean): Promise<void>
  /** How many run, as the ledger knows. */
  countRunning(caller: Caller): Promise<number>
}

/** As the vendor shows it; `coming` when its run is yet to come (`is-coming.ts`). */
type Found = LivestreamWithSessions & { coming: boolean; isProved: boolean; askedAtMs: number }

/** The default of the API. */
const keptPerPage = 25
/** A list may cost the vendor's quota at most so many calls. */
const refreshedPerList = 10

export function tenantLivestreams(deps: LivestreamsDeps): TenantLivestreams {
  const {
    upstreams,
    livestreams,
    rememberLivestream,
    runs,
    sightings,
    rememberRuns,
    isComing,
    endingRuns,
    ownStarts,
    knownMeetings,
    log,
    clock,
    deadline,
    settleMs,
    changes
  } = deps
  const reads = new SharedReads<Found | null>(deps)

  function shared(owner: OwnedLivestream, page: Page, signal: () => AbortSignal): Promise<Seen<Found | null>> {
    const key = keyOf(owner, page)
    const ask = (signal: AbortSignal) => look(owner, page, signal)
    // Further pages are for people who leaf: kept, they would crowd out what is polled.
    const isKept = page.pageNo === 1 && page.perPage <= keptPerPage
    return reads.read({ key, subject: subjectOf(owner), ask, signal, isKept })
  }

  async function look(
    owner: OwnedLivestream,
    page: Page,
    signal: AbortSignal,
    isBackground = false
  ): Promise<Found | null> {
    const { tenantId } = owner
    const provider = upstreamOf(upstreams, owner, 'read').on({ tenantId, priority: 'read', isBackground })
    const askedAtMs = clock.monotonic()
    const found = await provider.findLivestream(owner.id, page, signal)
    if (found === null) return null
    const seen = await knownMeetings.ofOwner(owner, found.livestream, provider)
    const coming = await isComing(owner, seen)
    const livestream = coming
      ? { ...seen, status: 'INVOKED' }
      : withoutEnding(endingRuns, owner, { ...found, livestream: seen }, page.pageNo)
    if (livestream.status === 'LIVE' && owner.meetingId !== null)
      ownStarts.believed({ id: owner.meetingId, upstream: owner.upstream })
    return { ...found, livestream, coming, isProved: isProvedBy(owner, found.livestream), askedAtMs }
  }

  /** One look is no proof that a run is over which we have begun a moment ago. */
  function isEarly({ id, meetingId, upstream }: OwnedLivestream, { livestream }: Found): boolean {
    if (meetingId === null || isRunning(livestream.status)) return false
    return ownStarts.begunRun({ id: meetingId, upstream }) === id
  }

  async function remember(owner: OwnedLivestream, found: Found, { pageNo }: Page): Promise<void> {
    const { livestream, sessions, isProved, askedAtMs } = found
    await rememberLivestream({ ...owner, isProved }, livestream, lookOf(found, askedAtMs, pageNo))
    await rememberRuns(owner, sessions)
  }

  /** It is listed as it was seen last, with its age. */
  function notRefreshed({ id }: OwnedLivestream, err: unknown): void {
    log.warn(
      { event: 'livestream_not_refreshed', err, livestream_id: id },
      'a livestream could not be refreshed for a list'
    )
  }

  return {
    async find(owner, page, signal) {
      const { value: found, ...seen } = await shared(owner, page, signal)
      if (found === null) throw new LivestreamNotFound()
      if (seen.how === 'miss') await remember(owner, found, page)
      return { ...seen, value: found }
    },

    async refresh(owner, signal, isBackground) {
      const subject = subjectOf(owner)
      const change = changes.of(subject)
      const page = { pageNo: 1, perPage: keptPerPage }
      const askedAtMs = clock.monotonic()
      const found = await look(owner, page, signal, isBackground)
      reads.keep(keyOf(owner, page), subject, found, change)
      if (found === null) await sightings.gone(owner, askedAtMs)
      else if (!isEarly(owner, found)) await remember(owner, found, page)
    },

    async list(caller, filter) {
      const tenantId = caller.tenant.id
      const open = await livestreams.unfinished(tenantId, { meetingId: filter.meetingId, limit: refreshedPerList })
      const signal = deadline()
      await Promise.all(
        open.map(async owner => {
          const askedAtMs = clock.monotonic()
          try {
            const { value: found, how } = await shared(owner, { pageNo: 1, perPage: 1 }, () => signal)
            if (found === null) throw new LivestreamNotFound()
            const { livestream, coming, isProved } = found
            // Somebody else has just had it written down, or it can't be asked for.
            if (how !== 'miss') return
            await sightings.seen(owner, livestream, lookOf(found, found.askedAtMs))
            // Lists must not prolong the time for which a run counts as coming.
            if (coming) return
            const kept = livestreams.observe({ ...owner, isProved }, withoutKey(livestream), clock.now())
            // The list shows what has changed; how long ago it was seen is not worth waiting for.
            if (livestream.status === owner.status) kept.catch(err => notRefreshed(owner, err))
            else await waitBriefly(kept)
          } catch (err) {
            // One that is only just starting may not be there yet.
            if (err instanceof LivestreamNotFound && livestreams.unseenForMs(owner) > settleMs) {
              await waitBriefly(livestreams.gone(owner, clock.now())).catch(() => {})
              await sightings.gone(owner, askedAtMs)
            }
            notRefreshed(owner, err)
          }
        })
      )
      const { items, total } = await livestreams.list(tenantId, filter)
      return { items, paging: pagingOf(filter, items.length, total) }
    },

    countRunning: caller => runs.countLive(caller.tenant.id)
  }
}

/** No tenant id has a slash, and no livestream id a question mark. */
function keyOf({ tenantId, id }: OwnedLivestream, { pageNo, perPage }: Page): string {
  return `${tenantId}/${id}?${pageNo}&${perPage}`
}
