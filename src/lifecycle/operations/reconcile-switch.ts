import { type OwnedLivestream, withoutKey } from '../../domain/livestream.ts'
import type { Operation, StoredAnswer } from '../../domain/operation.ts'
import { type Failure, LivestreamNotFound, NotOffered, UpstreamRefused } from '../../domain/refusals/failures.ts'
import type { Clock } from '../../domain/values/clock.ts'
import type { Statement } from '../../store/engine/engine.ts'
import type { Livestreams } from '../../store/tables/livestreams.ts'
import type { OperationEnd, Operations } from '../../store/tables/operations.ts'
import type { Upstreams } from '../../upstream/provider.ts'
import type { MeetingQueue } from '../broadcast/meeting-queue.ts'
import { type Changes, providerOf } from '../context.ts'
import { subjectOf } from '../reads/shared-reads.ts'
import { isProvedBy, type KnownMeetings, ofOwner } from '../resources/known-meetings.ts'
import { failedAnswer, type OperationEnds } from './operation-ends.ts'

export interface SwitchReconcilerDeps {
  ends: OperationEnds
  operations: Pick<Operations, 'laterSwitch'>
  livestreams: Pick<Livestreams, 'observed'>
  upstreams: Upstreams
  /** Null when the livestream is not the tenant's any more. */
  ownerOf(tenantId: string, livestreamId: string): Promise<OwnedLivestream | null>
  knownMeetings: Pick<KnownMeetings, 'beforeChange'>
  queue: Pick<MeetingQueue<never, never>, 'inTurn'>
  changes: Changes
  clock: Clock
  /** Bounds what is sent for it. */
  deadline(operation: Operation): AbortSignal
}

/**
 * An enabling or disabling whose answer was lost is sent again until the vendor has confirmed it: doing it twice is doing it once.
 * A later one of the same livestream ends that, since the last word counts. True when it is settled by this try, or was before.
 * @throws what a Provider throws
 */
export type ReconcileSwitch = (operation: Operation) => Promise<boolean>

export function switchReconciler(deps: SwitchReconcilerDeps): ReconcileSwitch {
  const { ends, operations, livestreams, upstreams, ownerOf, knownMeetings, queue, changes, clock, deadline } = deps

  return operation => queue.inTurn(operation.livestreamId ?? '', () => reconcile(operation))

  async function reconcile(operation: Operation): Promise<boolean> {
    if (await ends.isSettled(operation)) return true
    const later = await operations.laterSwitch(operation)
    if (later !== null) return follow(operation, later)
    const { tenantId, livestreamId, kind } = operation
    const known = await ownerOf(tenantId, livestreamId ?? '')
    if (known === null) return giveUp(operation, new LivestreamNotFound())
    const provider = providerOf(upstreams, known, 'mutation')
    try {
      const owner = await knownMeetings.beforeChange(known, provider, deadline(operation))
      const answered = await provider.setEnabled(owner.id, kind === 'enable_livestream', deadline(operation))
      const livestream = withoutKey(ofOwner(owner, answered, 'unknown'))
      const answer: StoredAnswer = { status: 200, body: { data: livestream } }
      const proved = { ...owner, isProved: isProvedBy(owner, answered) }
      const seen = livestreams.observed(proved, livestream, clock.now())
      return await end(operation, { state: 'done', livestreamId: owner.id, answer }, seen)
    } catch (error) {
      // There is nothing that could be the one or the other, or nothing that could make it so.
      if (error instanceof LivestreamNotFound || error instanceof NotOffered) return giveUp(operation, error)
      throw error
    } finally {
      changes.note(subjectOf(known))
    }
  }

  /** The later one says the same: then it speaks for both. It says the opposite: then nobody wants this one any more. */
  async function follow(operation: Operation, later: Operation): Promise<boolean> {
    if (later.kind !== operation.kind) {
      const message = 'A later enabling or disabling of this livestream has overtaken it'
      return giveUp(operation, new UpstreamRefused({ outcome: 'failed', message }))
    }
    if (later.state !== 'done') return false
    return end(operation, { state: 'done', livestreamId: later.livestreamId, answer: later.answer })
  }

  function giveUp(operation: Operation, failure: Failure): Promise<boolean> {
    return end(operation, { state: 'failed', answer: failedAnswer(operation, failure) })
  }

  function end(operation: Operation, how: OperationEnd, rows: Statement[] = []): Promise<boolean> {
    return ends.end(operation, how, { rows, livestreamId: operation.livestreamId })
  }
}
