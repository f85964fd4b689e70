import { setTimeout as sleep } from 'node:timers/promises'
import type { LivestreamWithKey } from '../../domain/livestream.ts'
import type { OwnedMeeting } from '../../domain/meeting.ts'
import { type Failure, StillStopping, UpstreamTooLate } from '../../domain/refusals/failures.ts'
import type { Clock } from '../../domain/values/clock.ts'
import type { EndingRuns } from '../running/ending-runs.ts'
import type { WhatRuns } from '../running/what-runs.ts'

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
