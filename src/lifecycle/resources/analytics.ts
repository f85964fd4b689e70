import type { Analytics, AnalyticsRange, DayAnalytics } from '../../domain/analytics.ts'
import type { Caller } from '../../domain/caller.ts'
import { isVendorId } from '../../domain/id.ts'
import type { OwnedLivestream } from '../../domain/livestream.ts'
import { tellTrouble } from '../../domain/values/tell-trouble.ts'
import type { Engine } from '../../store/engine/engine.ts'
import type { AnalyticsRows } from '../../store/tables/analytics.ts'
import type { Sessions } from '../../store/tables/sessions.ts'
import type { Upstreams } from '../../upstream/provider.ts'
import { type Context, providerOf } from '../context.ts'
import { lookOf } from '../ledger/sightings.ts'
import { SharedReads, subjectOf } from '../reads/shared-reads.ts'
import type { EndingRuns } from '../running/ending-runs.ts'
import { isProvedBy, type KnownMeetings } from './known-meetings.ts'
import { type RememberLivestream, withoutEnding } from './remember.ts'

export interface AnalyticsDeps extends Pick<Context, 'clock' | 'deadline' | 'bounded' | 'changes' | 'readTtlMs'> {
  upstreams: Upstreams
  engine: Pick<Engine, 'write'>
  rows: AnalyticsRows
  sessions: Pick<Sessions, 'runSeen'>
  rememberLivestream: RememberLivestream
  endingRuns: Pick<EndingRuns, 'showEnding'>
  knownMeetings: Pick<KnownMeetings, 'ofOwner'>
  log: { warn(facts: object, message: string): void }
}

/**
 * Figures of a tenant's own livestreams. The vendor's are those of the whole organisation, so they are never asked for: these are
 * sums of the runs that Livegate knows, of which some are looked at anew for each question.
 */
export interface TenantAnalytics {
  overall(caller: Caller, range: AnalyticsRange): Promise<Analytics>
  /** Days without a run are left out; the oldest first. */
  daywise(caller: Caller, range: AnalyticsRange): Promise<DayAnalytics[]>
}

/** A question may cost the vendor's quota at most so many calls. */
const refreshedPerQuestion = 10
/** A livestream that was looked at within this time, and has not changed since, is taken as it was seen. */
const freshForMs = 60_000
/** So many of a livestream's newest runs are looked at. */
const newestRuns = 50

export function tenantAnalytics(deps: AnalyticsDeps): TenantAnalytics {
  const { upstreams, engine, rows, sessions, rememberLivestream, endingRuns, knownMeetings, log, clock } = deps
  const { deadline } = deps
  const reads = new SharedReads<null>(deps)

  async function look(owner: OwnedLivestream, signal: AbortSignal): Promise<null> {
    const nowMs = clock.now()
    const page = { pageNo: 1, perPage: newestRuns }
    const provider = providerOf(upstreams, owner, 'read')
    const askedAtMs = clock.monotonic()
    const found = await provider.findLivestream(owner.id, page, signal)
    if (found !== null) {
      const livestream = await knownMeetings.ofOwner(owner, found.livestream, provider)
      const isProved = isProvedBy(owner, found.livestream)
      const shown = withoutEnding(endingRuns, owner, { ...found, livestream })
      await rememberLivestream({ ...owner, isProved }, shown, lookOf(found, askedAtMs))
    }
    const runs = (found?.sessions ?? []).filter(({ id }) => isVendorId(id))
    await engine.write([...runs.map(run => sessions.runSeen(owner, run, nowMs)), rows.seen(owner, nowMs)])
    return null
  }

  /** A livestream that can't be asked for counts as it was seen last. */
  async function refresh(tenantId: string): Promise<void> {
    const unseen = await rows.unseen(tenantId, { nowMs: clock.now(), freshForMs, limit: refreshedPerQuestion })
    const signal = deadline()
    await Promise.all(
      unseen.map(owner => {
        const ask = (signal: AbortSignal) => look(owner, signal)
        const asked = reads.read({
          key: `${tenantId}/${owner.id}`,
          subject: subjectOf(owner),
          ask,
          signal: () => signal
        })
        return asked.catch(
          tellTrouble(
            log,
            'warn',
            { event: 'livestream_runs_unseen', livestream_id: owner.id },
            'the runs of a livestream could not be looked at'
          )
        )
      })
    )
  }

  return {
    async overall({ tenant }, range) {
      await refresh(tenant.id)
      return rows.overall(tenant.id, range, clock.now())
    },

    async daywise({ tenant }, range) {
      await refresh(tenant.id)
      return rows.daywise(tenant.id, range, clock.now())
    }
  }
}
