import { placeOf } from '../../domain/id.ts'
import type { LivestreamWithKey } from '../../domain/livestream.ts'
import type { OwnedMeeting } from '../../domain/meeting.ts'
import type { Clock } from '../../domain/values/clock.ts'
import type { Bounded, Changes } from '../context.ts'
import type { WhatRuns } from '../running/what-runs.ts'
import { type Seen, SharedReads } from './shared-reads.ts'

export interface ActiveReadsDeps {
  whatRuns: WhatRuns
  bounded: Bounded
  changes: Changes
  clock: Pick<Clock, 'monotonic'>
  readTtlMs: number
}

/** The meeting's active livestream, for many who look at it. */
export interface ActiveReads {
  /** As the vendor has shown it within the last `LIVEGATE_READ_TTL_MS`, or longer ago when it can't be asked. A run that was stopped is not shown. */
  read(meeting: OwnedMeeting, signal: () => AbortSignal): Promise<Seen<LivestreamWithKey | null>>
  /** Asks the vendor, whatever is known; what it says is shown to those who read from now on. */
  whatRuns: WhatRuns
  /** Something was sent that may change it, or nobody knows whether it did: no answer from before is shown any more. */
  outdated(meeting: OwnedMeeting): void
  /** A start or a stop has made it so: no answer from before is shown any more. */
  changed(meeting: OwnedMeeting, active: LivestreamWithKey | null): void
}

export function activeReads({ whatRuns, bounded, changes, clock, readTtlMs }: ActiveReadsDeps): ActiveReads {
  const reads = new SharedReads<LivestreamWithKey | null>({ ttlMs: readTtlMs, changes, bounded, clock })
  // No tenant id has a slash.
  const keyOf = (meeting: OwnedMeeting): string => `${meeting.tenantId}/${placeOf(meeting)}`

  return {
    async read(meeting, signal) {
      const [key, subject] = [keyOf(meeting), placeOf(meeting)]
      const ask = async (signal: AbortSignal): Promise<LivestreamWithKey | null> => {
        const { livestream, isEnding } = await whatRuns(meeting, 'read', signal)
        return isEnding ? null : livestream
      }
      return reads.fresh(key, subject) ?? reads.read({ key, subject, ask, signal })
    },

    async whatRuns(meeting, priority, signal, how) {
      const change = changes.of(placeOf(meeting))
      const sight = await whatRuns(meeting, priority, signal, how)
      reads.keep(keyOf(meeting), placeOf(meeting), sight.isEnding ? null : sight.livestream, change)
      return sight
    },

    outdated: meeting => changes.note(placeOf(meeting)),

    changed(meeting, active) {
      changes.note(placeOf(meeting))
      reads.keep(keyOf(meeting), placeOf(meeting), active)
    }
  }
}
