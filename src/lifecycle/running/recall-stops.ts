import { placeOf } from '../../domain/id.ts'
import type { Operation } from '../../domain/operation.ts'
import type { Clock } from '../../domain/values/clock.ts'
import type { Operations } from '../../store/tables/operations.ts'
import { meetingOf } from '../operations/operation-ends.ts'
import type { EndingRuns } from './ending-runs.ts'
import type { OwnStarts } from './own-actions.ts'
import { followedForMs } from './verdict.ts'

export interface RecallStopsDeps {
  operations: Pick<Operations, 'settledSince' | 'unsettled'>
  endingRuns: Pick<EndingRuns, 'recall' | 'unconfirmed'>
  ownStarts: Pick<OwnStarts, 'sent' | 'began' | 'believed'>
  clock: Pick<Clock, 'now'>
  settleMs: number
}

/** Looks that are overdue go out so far apart: there may be one for each meeting. */
const overdueEveryMs = 1_000
/** `vendorAtMs` is the latest that a `Date` of whole seconds allows. */
const dateRangeMs = 1_000

/**
 * Remembers, before the first call, what an earlier process has started and stopped a moment ago. The vendor may not show a run
 * that was started yet. It may still show one that was stopped, perhaps because it has not done what it confirmed.
 * @throws what the store throws
 */
export async function recallStops({
  operations,
  endingRuns,
  ownStarts,
  clock,
  settleMs
}: RecallStopsDeps): Promise<void> {
  const nowMs = clock.now()
  const agoMs = (atMs: number | null): number => Math.max(0, nowMs - (atMs ?? nowMs))
  /** Stops that were the last word of their meeting. */
  const stops = new Map<string, Operation>()
  for (const operation of await operations.settledSince(nowMs - Math.max(settleMs, followedForMs))) {
    const meeting = meetingOf(operation)
    stops.delete(placeOf(meeting))
    if (operation.kind === 'stop') {
      stops.set(placeOf(meeting), operation)
      ownStarts.believed(meeting)
    } else {
      ownStarts.sent(meeting, agoMs(operation.sentAtMs))
      if (operation.livestreamId !== null) ownStarts.began(meeting, operation.livestreamId, agoMs(operation.sentAtMs))
    }
  }
  const isOverdue = ({ settledAtMs }: Operation): boolean => agoMs(settledAtMs) >= settleMs
  const { true: overdue = [], false: fresh = [] } = Object.groupBy(
    stops.values(),
    stop => `${isOverdue(stop)}` as const
  )
  const remember = (stop: Operation, followInMs: number): void =>
    endingRuns.recall(meetingOf(stop), { agoMs: agoMs(stop.settledAtMs), dateMs: confirmedAt(stop), followInMs })
  for (const stop of fresh) remember(stop, 0)
  for (const [i, stop] of inTurns(overdue.reverse()).entries()) remember(stop, (i + 1) * overdueEveryMs)
  for (const operation of await operations.unsettled()) {
    const meeting = meetingOf(operation)
    // It may have sent the stop again a moment ago.
    if (operation.kind === 'stop') endingRuns.unconfirmed(meeting)
    // A look may find the run of such a start, and the next one may not.
    if (operation.kind === 'start') ownStarts.sent(meeting, agoMs(operation.sentAtMs))
  }
}

/** By the vendor's clock. Of an older program's stop only its first sending is known. */
export function confirmedAt({ confirmedVendorAtMs, vendorAtMs }: Operation): number | null {
  return confirmedVendorAtMs ?? (vendorAtMs === null ? null : vendorAtMs - dateRangeMs)
}

/** The first stop of each tenant, then the second of each: no tenant waits behind the many of another one. */
function inTurns(stops: Operation[]): Operation[] {
  const ofTenants = [...Map.groupBy(stops, ({ tenantId }) => tenantId).values()]
  const most = Math.max(0, ...ofTenants.map(some => some.length))
  return Array.from({ length: most }, (_, i) => ofTenants.flatMap(some => some.slice(i, i + 1))).flat()
}
