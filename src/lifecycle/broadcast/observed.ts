/** Starts and stops as metrics see them: what each came to, and how long it took. */
import type { Observer } from '../../domain/observer.ts'
import { Failure, isOneOf, NoActiveLivestream } from '../../domain/refusals/failures.ts'
import { outcomeOf } from '../operations/mutation.ts'
import type { StartOnce } from './start.ts'
import type { Stop } from './stop.ts'

const startResults = { started: 'started', joined: 'joined', alreadyLive: 'already_live' } as const

export function observedStart(start: StartOnce, observer: Pick<Observer, 'started'> | undefined): StartOnce {
  if (observer === undefined) return start
  return (caller, meeting, wish) =>
    observed(
      () => start(caller, meeting, wish),
      ({ how }) => startResults[how],
      observer.started
    )
}

export function observedStop(stop: Stop, observer: Pick<Observer, 'stopped'> | undefined): Stop {
  if (observer === undefined) return stop
  return (caller, meeting) =>
    observed(
      () => stop(caller, meeting),
      ({ fruitless }) => (fruitless ? 'nothing_live' : 'stopped'),
      observer.stopped,
      error => (error instanceof Failure && isOneOf(error, NoActiveLivestream) ? 'nothing_live' : resultOf(error))
    )
}

/** Tells of the work when it is over. */
async function observed<T>(
  work: () => Promise<T>,
  ofValue: (value: T) => string,
  tell: (result: string, durationMs: number) => void,
  ofError: (error: unknown) => string = resultOf
): Promise<T> {
  const begunAtMs = performance.now()
  try {
    const value = await work()
    tell(ofValue(value), performance.now() - begunAtMs)
    return value
  } catch (error) {
    tell(ofError(error), performance.now() - begunAtMs)
    throw error
  }
}

/** A refusal is the caller's own affair, or a limit's. */
function resultOf(error: unknown): string {
  if (!(error instanceof Failure)) return 'unknown'
  const outcome = outcomeOf(error)
  return error.status < 500 && outcome !== 'unknown' ? 'refused' : outcome
}
