import type { Operation } from '../../domain/operation.ts'
import { UpstreamFailed } from '../../domain/refusals/failures.ts'
import type { Clock } from '../../domain/values/clock.ts'
import type { RememberParticipants } from '../participants/remember-participants.ts'
import type { ParticipantSearch } from '../participants/search.ts'
import { LateLooks } from './late-looks.ts'
import { failedAnswer, meetingOf, type OperationEnds } from './operation-ends.ts'

export interface ParticipantReconcilerDeps {
  ends: Pick<OperationEnds, 'end'>
  participantSearch: Pick<ParticipantSearch, 'inList'>
  rememberParticipants: Pick<RememberParticipants, 'rows'>
  clock: Clock
  deadlineMs: number
}

/** The part of `Reconcile` that is about participants. */
export interface ReconcileParticipant {
  /** One look. True when the adding is settled by it. @throws what a Provider throws */
  (adding: Operation): Promise<boolean>
  note(adding: Operation, sentAtMs: number): void
}

/** A participant whose adding was not answered is never sent again: the list of its meeting is searched, until it is found or two late looks show nothing. */
export function participantReconciler(deps: ParticipantReconcilerDeps): ReconcileParticipant {
  const { ends, participantSearch, rememberParticipants, clock, deadlineMs } = deps
  const looks = new LateLooks(clock, deadlineMs)

  async function reconcile(adding: Operation): Promise<boolean> {
    looks.of(adding)
    const lookedAtMs = clock.monotonic()
    const meeting = meetingOf(adding)
    const found = await participantSearch.inList(meeting, adding.participant ?? '')
    if (found === 'unclear') return false
    if (found !== null) {
      looks.forget(adding)
      const answer = { status: 201, body: { data: { ...found, token_issued: false } } }
      return ends.end(adding, { state: 'done', answer }, { rows: rememberParticipants.rows(meeting, [found]) })
    }
    if (!looks.showNothing(adding, lookedAtMs)) return false
    const message = 'The livestream provider did not add the participant'
    const failure = new UpstreamFailed({ outcome: 'failed', message })
    return ends.end(adding, { state: 'failed', answer: failedAnswer(adding, failure) })
  }

  reconcile.note = (adding: Operation, sentAtMs: number): void => looks.note(adding, sentAtMs)
  return reconcile
}
