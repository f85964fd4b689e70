/** Questions right before something is sent. May the caller still do it? May a start be sent at all, and is there room for its run? */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Caller, keyRefusal } from '../../domain/caller.ts'
import { endOfStart, type LiveLimits, longestRunSeconds, monthOf, noLiveLimits } from '../../domain/ends/live-limits.ts'
import type { LivestreamWithKey } from '../../domain/livestream.ts'
import type { OwnedMeeting } from '../../domain/meeting.ts'
import {
  Failure,
  InvalidInput,
  LiveLimitReached,
  MeetingNotFound,
  StillStopping,
  TenantSuspended,
  UpstreamTooLate,
  withOutcome
} from '../../domain/refusals/failures.ts'
import type { Clock } from '../../domain/values/clock.ts'
import { Conflict, type Statement } from '../../store/engine/engine.ts'
import type { Directory } from '../../store/memory/directory.ts'
import type { Meetings } from '../../store/tables/meetings.ts'
import type { LiveUses } from '../../store/tables/runs/live-use.ts'
import type { Upstreams } from '../../upstream/provider.ts'
import type { EndingRuns } from '../running/ending-runs.ts'
import type { WhatRuns } from '../running/sight.ts'

/**
 * Asks again what was proved when the call came in, for a call that has waited. Meanwhile its key may have been revoked, its
 * tenant suspended, or its meeting given to another tenant.
 * @throws Unauthorized, KeyExpired, KeyRevoked, TenantSuspended, MeetingNotFound
 */
export type RecheckPermission = (caller: Caller, meeting: OwnedMeeting, kind: 'start' | 'stop') => Promise<void>

export function recheckPermission({
  directory,
  holds,
  clock
}: {
  directory: Directory
  holds: Holds
  clock: Clock
}): RecheckPermission {
  return async (caller, meeting, kind) => {
    const refusal = keyRefusal(directory.keyByDigest(caller.key.digest), clock.now(), unsent)
    if (refusal !== null) throw refusal
    if (kind === 'start' && directory.tenant(caller.tenant.id)?.suspended) throw new TenantSuspended(unsent)
    // A stop goes on without a store, and then without its word on who holds the meeting.
    const isHeld = kind === 'stop' ? await holds(meeting).catch(() => true) : await isStillThere(directory, meeting)
    if (!isHeld) throw new MeetingNotFound(unsent)
  }
}

/** A start is sent to the vendor account that the meeting is at now; a stop also to the one where it was. */
async function isStillThere(directory: Directory, { tenantId, id, upstream }: OwnedMeeting): Promise<boolean> {
  return (await directory.meeting(tenantId, id))?.upstream === upstream
}

/** Says that nothing was sent: a call that has joined one that may not go on takes its place. */
const unsent = { outcome: 'not_sent' } as const

export interface HoldsDeps {
  directory: Pick<Directory, 'meeting'>
  meetings: Pick<Meetings, 'upstreamOf'>
  upstreams: Upstreams
}

/**
 * Whether the meeting is the tenant's now. Either the tenant holds it, or it is in an upstream that is dedicated to the tenant,
 * and nobody has ever had it there. A stop of such a meeting has gone on though the vendor could not say whether it has the
 * meeting. At another account the same id is another meeting, and none of this tenant's business. @throws StoreError
 */
export type Holds = (meeting: OwnedMeeting) => Promise<boolean>

export function holder({ directory, meetings, upstreams }: HoldsDeps): Holds {
  return async ({ tenantId, id, upstream }) => {
    if ((await directory.meeting(tenantId, id)) !== null) return true
    return upstreams.get(upstream)?.dedicatedTo === tenantId && (await meetings.upstreamOf(id)) !== upstream
  }
}

/** Waits for what comes before a mutation is sent: a failure in it says `not_sent`. */
export async function beforeSending<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw error instanceof Failure ? withOutcome(error, 'not_sent') : error
  }
}

/** How long a start may wait, and for whom it gives way. */
export interface StartWait {
  signal: AbortSignal
  /** On the monotonic clock. */
  endsAtMs: number
  /** Aborts when a stop waits behind this start. */
  stopWanted: AbortSignal
}

/**
 * Looks until a start may be sent, or need not be. A run that was stopped and is still shown is waited for; so is the second of two
 * looks where one is not enough. Gives what runs already: then nothing is to be sent.
 * @throws StillStopping when the run that was stopped does not end in time, or a stop comes meanwhile; what a Provider throws
 */
export type StartPermit = (meeting: OwnedMeeting, wait: StartWait) => Promise<LivestreamWithKey | null>

export interface StartPermitDeps {
  whatRuns: WhatRuns
  endingRuns: Pick<EndingRuns, 'mayEnd'>
  clock: Pick<Clock, 'monotonic'>
  deadlineMs: number
}

/** Pauses between the looks at a run that is ending. */
const pausesMs = [1_000, 2_000, 4_000]
/** Two looks that must agree are so far apart; both fit into a shorter deadline too. */
const looksApartMs = 5_000

export function startPermit({ whatRuns, endingRuns, clock, deadlineMs }: StartPermitDeps): StartPermit {
  const apartMs = Math.min(looksApartMs, deadlineMs / 3)

  return async (meeting, wait) => {
    let nothingAtMs: number | null = null
    for (let looks = 0; ; looks++) {
      const atMs = clock.monotonic()
      const sight = await whatRuns(meeting, 'mutation', wait.signal)
      const { livestream, isWeak } = sight
      // A stop whose answer was lost may have been executed: then what is shown goes off air in a moment.
      const isEnding = sight.isEnding || (livestream !== null && endingRuns.mayEnd(meeting))
      if (livestream !== null && !isEnding) return livestream
      if (livestream === null) {
        const isEnough = !isWeak || (nothingAtMs !== null && atMs - nothingAtMs >= apartMs)
        if (isEnough) return null
        nothingAtMs ??= atMs
      }
      const pauseMs = isEnding ? pausesMs[looks] : apartMs
      const late = isEnding ? stillStopping() : new UpstreamTooLate()
      if (pauseMs === undefined || !(await pauseFor(pauseMs, wait, clock))) throw late
    }
  }
}

/** True after the pause; false when there is no time for it, or a stop wants its turn. */
export async function pauseFor(
  pauseMs: number,
  { signal, endsAtMs, stopWanted }: StartWait,
  clock: Pick<Clock, 'monotonic'>
): Promise<boolean> {
  if (clock.monotonic() + pauseMs >= endsAtMs) return false
  const either = AbortSignal.any([signal, stopWanted])
  return sleep(pauseMs, true, { signal: either }).catch(() => false)
}

/** @param refused what the vendor said to the start, if it was sent */
export function stillStopping(refused?: Failure): Failure {
  const { upstreamStatus, upstreamReason } = refused ?? {}
  return new StillStopping({ outcome: 'not_sent', retryAfterSeconds: 2, upstreamStatus, upstreamReason })
}

export interface LiveRoomDeps {
  use: Pick<LiveUses, 'room' | 'used'>
  directory: Pick<Directory, 'tenant'>
  clock: Pick<Clock, 'now'>
}

/** Room for another run of a tenant: counted in the transaction that writes the run down, so that no two starts share the last place. */
export interface LiveRoom {
  /** @throws InvalidInput that names the field when the tenant may not have so long a run */
  expectAllowed(tenantId: string, seconds: number | undefined): void
  /** The end of a run that is about to be started. */
  endOf(meeting: OwnedMeeting, seconds: number | undefined, nowMs: number): ReturnType<typeof endOfStart>
  /** Conditions for the transaction of the intent. */
  conditions(meeting: OwnedMeeting): Statement[]
  /** The refusal of an intent whose conditions did not hold, in the words of the limit; else the same error. */
  refusalOf(error: unknown, meeting: OwnedMeeting): Promise<unknown>
}

export function liveRoom({ use, directory, clock }: LiveRoomDeps): LiveRoom {
  const limitsOf = (tenantId: string): LiveLimits => directory.tenant(tenantId)?.limits ?? noLiveLimits

  return {
    expectAllowed: (tenantId, seconds) => expectAllowed(seconds ?? null, limitsOf(tenantId)),

    endOf({ tenantId }, seconds, nowMs) {
      const limits = limitsOf(tenantId)
      const isLimited = limits.maxDurationSeconds !== null || limits.defaultDurationSeconds !== null
      return seconds !== undefined || isLimited ? endOfStart(seconds ?? null, limits, nowMs) : {}
    },

    conditions(meeting) {
      const { maxLive, minutesPerMonth } = limitsOf(meeting.tenantId)
      if (maxLive === null && minutesPerMonth === null) return []
      return use.room({ tenantId: meeting.tenantId, meeting, nowMs: clock.now() }, { maxLive, minutesPerMonth })
    },

    async refusalOf(error, meeting) {
      if (!(error instanceof Failure && error.cause instanceof Conflict)) return error
      const { maxLive, minutesPerMonth } = limitsOf(meeting.tenantId)
      const nowMs = clock.now()
      const { live, spentMs } = await use.used({ tenantId: meeting.tenantId, meeting, nowMs })
      const isMinutes = maxLive === null || (minutesPerMonth !== null && live < maxLive)
      const minutes = Math.floor(spentMs / 60_000)
      return isMinutes
        ? reached(
            'minutes_per_month',
            `${minutes} of ${minutesPerMonth} minutes of ${monthOf(nowMs).name} (UTC) are used`
          )
        : reached('max_live', `${live} of ${maxLive} runs go on or are being started`)
    }
  }
}

function reached(limit: string, used: string): Failure {
  const message = `The limit ${limit} of this tenant is reached: ${used}`
  return new LiveLimitReached({ outcome: 'not_sent', message, details: [{ field: limit, message: used }] })
}

/** @throws InvalidInput that names the field when the tenant may not have so long a run */
function expectAllowed(seconds: number | null, { maxDurationSeconds }: LiveLimits): void {
  const most = maxDurationSeconds ?? longestRunSeconds
  if (seconds === null || seconds <= most) return
  const message = `must be <= ${most}, the longest run of this tenant`
  throw new InvalidInput({ outcome: 'not_sent', details: [{ field: 'body.max_duration_seconds', message }] })
}
