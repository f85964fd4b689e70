import { type Caller, revealsKey, shownTo } from '../domain/caller.ts'
import type { Clock } from '../domain/clock.ts'
import { Failure, LiveElsewhere, StartUnsettled, withOutcome } from '../domain/failures.ts'
import { type LivestreamWithKey, withoutKey } from '../domain/livestream.ts'
import type { OwnedMeeting } from '../domain/meeting.ts'
import type { Operation } from '../domain/operation.ts'
import type { Statement } from '../store/engine.ts'
import type { Livestreams } from '../store/livestreams.ts'
import type { Operations } from '../store/operations.ts'
import type { LivestreamWish, Providers } from '../upstream/provider.ts'
import { type FindActive, providerOf } from './active.ts'
import type { Deadline } from './deadline.ts'
import type { Motion } from './motion.ts'
import type { Done, Recorded } from './recorded.ts'
import type { StillAllowed } from './still-allowed.ts'

export interface Started {
  livestream: LivestreamWithKey
  /** False when the meeting was live already, or another call was starting it. */
  started: boolean
}

export interface StartDeps {
  providers: Providers
  operations: Pick<Operations, 'openStart' | 'ended'>
  livestreams: Pick<Livestreams, 'observed'>
  findActive: FindActive
  stillAllowed: StillAllowed
  recorded: Recorded
  motion: Motion<Started, unknown>
  clock: Clock
  deadline: Deadline
  settleMs: number
}

/**
 * Starts the meeting's livestream once: a call that finds it live, or being started, gets the same livestream and nothing
 * second goes upstream. The caller's connection is not part of it: who hangs up aborts nothing.
 * @throws StartUnsettled while an earlier start's outcome is unknown, and what a Provider and `recorded` throw
 */
export type StartOnce = (caller: Caller, meeting: OwnedMeeting, wish: LivestreamWish) => Promise<Started>

export function startOnce(deps: StartDeps): StartOnce {
  const { findActive, stillAllowed, recorded, motion, providers, livestreams, clock, deadline } = deps

  async function lead(caller: Caller, meeting: OwnedMeeting, wish: LivestreamWish, waited: boolean): Promise<Started> {
    if (waited) await unsent(() => stillAllowed(caller, meeting, 'start'))
    const signal = deadline()
    const earlier = await unsent(() => deps.operations.openStart(meeting.id))
    const active = await unsent(() => findActive(meeting, signal))
    const first = earlier === null ? [] : settle(earlier, active)
    if (active !== null) return found(caller, meeting, active, first)

    const mutation = { caller, kind: 'start', meetingId: meeting.id, first } as const
    return recorded(mutation, async (): Promise<Done<Started>> => {
      try {
        const livestream = await providerOf(providers, meeting).start(meeting.id, wish, signal)
        return done({ livestream: { ...livestream, ...named(livestream, wish) }, started: true })
      } catch (error) {
        if (!(error instanceof LiveElsewhere)) throw error
        // Somebody else, a browser perhaps, was faster than our look.
        const livestream = await findActive(meeting, signal).catch(cause => {
          throw cause instanceof Failure ? withOutcome(cause, 'failed') : cause
        })
        if (livestream === null) throw error
        return done({ livestream, started: false })
      }
    })

    function done(value: Started): Done<Started> {
      const { livestream, started } = value
      const owner = { id: livestream.id, tenantId: meeting.tenantId, upstream: meeting.upstream, meetingId: meeting.id }
      return {
        value,
        status: started ? 201 : 200,
        livestreamId: livestream.id,
        streamKeyRevealed: revealsKey(shownTo(caller, livestream)),
        statements: livestreams.observed(owner, withoutKey(livestream), clock.now(), { outcome: true })
      }
    }
  }

  /** It is live already, or another call has started it: nothing was sent for this one. */
  async function found(
    caller: Caller,
    { id: meetingId }: OwnedMeeting,
    livestream: LivestreamWithKey,
    first: Statement[] = []
  ): Promise<Started> {
    const streamKeyRevealed = revealsKey(shownTo(caller, livestream))
    const done = { status: 200, livestreamId: livestream.id, streamKeyRevealed }
    await recorded.answered({ caller, kind: 'start', meetingId, first }, done)
    return { livestream, started: false }
  }

  /** The earlier start is settled by what the vendor shows now; while that says nothing yet, the meeting waits. */
  function settle(earlier: Operation, active: LivestreamWithKey | null): Statement[] {
    // A clock that was set back must not hold the meeting for longer.
    const openForMs = Math.max(0, clock.now() - earlier.sentAtMs)
    if (active === null && openForMs < deps.settleMs) {
      throw new StartUnsettled({ retryAfterSeconds: Math.ceil((deps.settleMs - openForMs) / 1_000) })
    }
    const state = active === null ? 'failed' : 'done'
    return [deps.operations.ended(earlier.id, state, active?.id ?? null, clock.now())]
  }

  return async (caller, meeting, wish) => {
    const { result, led } = await motion.start(meeting.id, waited => lead(caller, meeting, wish, waited))
    return led ? result : found(caller, meeting, result.livestream)
  }
}

/** Whatever goes wrong before the start was sent says so. */
async function unsent<T>(look: () => Promise<T>): Promise<T> {
  try {
    return await look()
  } catch (error) {
    throw error instanceof Failure ? withOutcome(error, 'not_sent') : error
  }
}

/** The answer to a start names no livestream (contract section 4.3), but the caller knows what it asked for. */
function named(livestream: LivestreamWithKey, wish: LivestreamWish): { name?: string | null } {
  return livestream.name === undefined && wish.name !== undefined ? { name: wish.name } : {}
}
