import type { Clock } from '../domain/clock.ts'
import type { LivestreamWithKey } from '../domain/livestream.ts'
import type { OwnedMeeting } from '../domain/meeting.ts'
import type { FindActive } from './active.ts'
import type { Bounded } from './deadline.ts'
import { type Changes, type Seen, SharedReads } from './shared-reads.ts'

export interface ActiveReadsDeps {
  findActive: FindActive
  bounded: Bounded
  changes: Changes
  clock: Pick<Clock, 'monotonic'>
  readTtlMs: number
}

/** The meeting's active livestream, for many who look at it. */
export interface ActiveReads {
  /** As the vendor has shown it within the last `LIVEGATE_READ_TTL_MS`, or longer ago when it can't be asked. */
  read(meeting: OwnedMeeting, signal: () => AbortSignal): Promise<Seen<LivestreamWithKey | null>>
  /** Asks the vendor, whatever is known; what it says is shown to those who read from now on. */
  findActive: FindActive
  /** Something was sent that may change it, or nobody knows whether it did: no answer from before is shown any more. */
  outdated(meeting: OwnedMeeting): void
  /** A start or a stop has made it so: no answer from before is shown any more. */
  changed(meeting: OwnedMeeting, active: LivestreamWithKey | null): void
}

export function activeReads({ findActive, bounded, changes, clock, readTtlMs }: ActiveReadsDeps): ActiveReads {
  const reads = new SharedReads<LivestreamWithKey | null>({ ttlMs: readTtlMs, changes, bounded, clock })
  // No tenant id has a slash.
  const keyOf = ({ tenantId, id }: OwnedMeeting): string => `${tenantId}/${id}`

  return {
    async read(meeting, signal) {
      const key = keyOf(meeting)
      const ask = (signal: AbortSignal) => findActive(meeting, 'read', signal)
      return reads.fresh(key, meeting.id) ?? reads.read({ key, subject: meeting.id, ask, signal })
    },

    async findActive(meeting, lane, signal) {
      const change = changes.of(meeting.id)
      const active = await findActive(meeting, lane, signal)
      reads.keep(keyOf(meeting), meeting.id, active, change)
      return active
    },

    outdated: ({ id }) => changes.note(id),

    changed(meeting, active) {
      changes.note(meeting.id)
      reads.keep(keyOf(meeting), meeting.id, active)
    }
  }
}
