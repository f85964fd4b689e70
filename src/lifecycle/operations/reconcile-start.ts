import { type LivestreamWithKey, withoutKey } from '../../domain/livestream.ts'
import type { Operation, StoredAnswer } from '../../domain/operation.ts'
import { UpstreamFailed } from '../../domain/refusals/failures.ts'
import type { Clock } from '../../domain/values/clock.ts'
import type { OperationEnd, Operations } from '../../store/tables/operations.ts'
import type { Deadline } from '../context.ts'
import type { FindStarted } from '../running/find-started.ts'
import type { SeenRun } from '../running/sight.ts'
import type { BroadcastEnds } from './broadcast-ends.ts'
import { LateLooks } from './late-looks.ts'
import { meetingOf } from './operation-ends.ts'

export interface ReconcileStartDeps {
  ends: Pick<BroadcastEnds, 'end' | 'giveUp'>
  operations: Pick<Operations, 'startsBefore'>
  findStarted: FindStarted
  clock: Clock
  deadline: Deadline
  deadlineMs: number
}

/** The part of `Reconcile` that is about starts. */
export interface ReconcileStart {
  /** One look. True when the start is settled by it, or was before. @throws what a Provider throws */
  (start: Operation): Promise<boolean>
  settledInMs(start: Operation): number
  note(start: Operation, sentAtMs: number): void
}

/** A start whose answer was lost is never sent again: its run is looked for, until it is found or two late looks show nothing. */
export function startReconciler(deps: ReconcileStartDeps): ReconcileStart {
  const { ends, operations, findStarted, clock, deadline, deadlineMs } = deps
  const looks = new LateLooks(clock, deadlineMs)

  async function reconcile(start: Operation): Promise<boolean> {
    const look = looks.of(start)
    const lookedAtMs = clock.monotonic()
    const sent = {
      atMs: start.vendorAtMs,
      before: await operations.startsBefore(start),
      monotonicMs: look.sentAtMs - look.earlierMs
    }
    const found = await findStarted(meetingOf(start), sent, deadline())
    if (found === 'unclear') {
      look.nothingAtMs = null
      return false
    }
    if (found !== null) return end(start, found, clock.monotonic() - look.sentAtMs + look.earlierMs)
    if (!looks.showNothing(start, lookedAtMs)) return false
    return ends.giveUp(
      start,
      new UpstreamFailed({ outcome: 'failed', message: 'The livestream provider did not start it' })
    )
  }

  async function end(start: Operation, began: SeenRun, agoMs: number): Promise<boolean> {
    looks.forget(start)
    return ends.end(start, doneWith(began.livestream), { began, agoMs })
  }

  reconcile.note = (start: Operation, sentAtMs: number): void => looks.note(start, sentAtMs)
  reconcile.settledInMs = (start: Operation): number => looks.settledInMs(start)
  return reconcile
}

/** The start that somebody waits for, as if its own answer had come. */
function doneWith(livestream: LivestreamWithKey): OperationEnd {
  const answer: StoredAnswer = { status: 201, body: { data: withoutKey(livestream) } }
  return { state: 'done', livestreamId: livestream.id, answer }
}
