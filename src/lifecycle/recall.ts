import type { Clock } from '../domain/clock.ts'
import type { Operations } from '../store/operations.ts'
import type { EndingRuns } from './ending-runs.ts'
import { meetingOf } from './settle.ts'
import type { StopPace } from './stop-pace.ts'

export interface RecallDeps {
  operations: Pick<Operations, 'settledSince' | 'unsettled'>
  endingRuns: Pick<EndingRuns, 'recall' | 'started' | 'unconfirmed'>
  pace: Pick<StopPace, 'recallStart'>
  clock: Pick<Clock, 'now'>
  settleMs: number
}

/**
 * Before the first call: what an earlier process has started and stopped a moment ago. The vendor may not show the one yet, and may
 * still show the other.
 * @throws what the store throws
 */
export async function recall({ operations, endingRuns, pace, clock, settleMs }: RecallDeps): Promise<void> {
  const nowMs = clock.now()
  for (const operation of await operations.settledSince(nowMs - settleMs)) {
    const meeting = meetingOf(operation)
    const agoMs = (atMs: number | null): number => Math.max(0, nowMs - (atMs ?? nowMs))
    if (operation.kind === 'stop') {
      endingRuns.recall(meeting, { agoMs: agoMs(operation.settledAtMs), dateMs: operation.vendorAtMs })
    } else {
      endingRuns.started(meeting)
      pace.recallStart(meeting, agoMs(operation.sentAtMs))
    }
  }
  // It may have sent them again a moment ago.
  for (const operation of await operations.unsettled())
    if (operation.kind === 'stop') endingRuns.unconfirmed(meetingOf(operation))
}
