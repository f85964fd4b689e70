import type { Livestream, LivestreamSession } from '../../domain/livestream.ts'
import type { SeenSession } from '../../domain/runs/run.ts'
import type { Clock } from '../../domain/values/clock.ts'
import { vendorTimeMs } from '../../domain/values/vendor-time.ts'
import type { LivestreamOwner } from '../../store/tables/livestreams.ts'
import type { LivestreamWithSessions, Upstreams } from '../../upstream/provider.ts'
import { goingOn } from '../running/verdict.ts'
import type { Ledger } from './ledger.ts'

/** How a livestream was looked at. */
export interface Look {
  /** When the vendor was asked, on the monotonic clock. */
  askedAtMs: number
  /** The vendor's livestream sessions, as far as the answer shows them. */
  sessions?: LivestreamSession[]
  /** The newest of them are there. */
  areNewest?: boolean
}

type Owner = Pick<LivestreamOwner, 'id' | 'tenantId' | 'upstream' | 'meetingId'>

/** Tells the ledger of each look at a livestream. Never throws, and waits no longer than a healthy disk takes. */
export interface Sightings {
  /** @param livestream as readers see it: the run that was stopped is over, though the vendor still shows it */
  seen(owner: Owner, livestream: Livestream, look: Look): Promise<void>
  /** The vendor does not have it. */
  gone(owner: Owner, askedAtMs: number): Promise<void>
}

export interface SightingsDeps {
  ledger: Pick<Ledger, 'note'>
  upstreams: Upstreams
  clock: Clock
}

/** How a look by id went that has shown a page of the livestream's sessions. */
export function lookOf(
  { sessions, paging }: Pick<LivestreamWithSessions, 'sessions' | 'paging'>,
  askedAtMs: number,
  pageNo = 1
): Look {
  return { askedAtMs, sessions, areNewest: pageNo === 1 && paging.total_count <= sessions.length }
}

/** A vendor's clock that differs by more is another one. Below that are its whole seconds, and the way of an answer. */
const clockDiffersByMs = 5_000

export function sightingsIn({ ledger, upstreams, clock }: SightingsDeps): Sightings {
  return {
    seen(
      { id: livestreamId, tenantId, upstream, meetingId },
      { status, playback_url, manual_ingest: isManual = false },
      look
    ) {
      const { askedAtMs, sessions = [], areNewest = false } = look
      const session = goingOn(sessions, areNewest)
      const shown = {
        status,
        playbackUrl: playback_url ?? null,
        session: session ? dated(session, upstream) : null,
        ...(isManual && { isManual })
      }
      const place = { tenantId, upstream, meetingId, livestreamId }
      return ledger.note({ kind: 'seen', ...place, ...shown, atMs: clock.now() }, askedAtMs)
    },

    gone({ id: livestreamId, tenantId, upstream, meetingId }, askedAtMs) {
      const place = { tenantId, upstream, meetingId, livestreamId }
      return ledger.note({ kind: 'gone', ...place, atMs: clock.now() }, askedAtMs)
    }
  }

  function dated({ id, invoked_time, started_time, stopped_time }: LivestreamSession, upstream: string): SeenSession {
    const vendorNowMs = upstreams.get(upstream)?.vendorNowMs('latest') ?? null
    const aheadMs = vendorNowMs === null ? 0 : vendorNowMs - clock.now()
    const shiftMs = Math.abs(aheadMs) > clockDiffersByMs ? aheadMs : 0
    const ours = (text: string | null | undefined): number | null => {
      const ms = vendorTimeMs(text)
      return Number.isNaN(ms) ? null : ms - shiftMs
    }
    return { id, invokedAtMs: ours(invoked_time), startedAtMs: ours(started_time), stoppedAtMs: ours(stopped_time) }
  }
}
