import { type Caller, revealsKey, shownTo } from '../domain/caller.ts'
import type { Clock } from '../domain/clock.ts'
import { Failure, LiveElsewhere, withOutcome } from '../domain/failures.ts'
import { type LivestreamWithKey, withoutKey } from '../domain/livestream.ts'
import type { OwnedMeeting } from '../domain/meeting.ts'
import type { Livestreams } from '../store/livestreams.ts'
import type { Operations } from '../store/operations.ts'
import type { LivestreamWish, Upstreams } from '../upstream/provider.ts'
import { type FindActive, providerOf } from './active.ts'
import type { ActiveReads } from './active-reads.ts'
import type { Bounded } from './deadline.ts'
import type { Motion } from './motion.ts'
import type { Done, Mutation } from './mutation.ts'
import type { Recorded } from './recorded.ts'
import { type Settle, unsettled } from './settle.ts'
import type { StillAllowed } from './still-allowed.ts'

export interface Started {
  livestream: LivestreamWithKey
  /** False when the meeting was live already, or another call was starting it. */
  started: boolean
  /** True when something was sent, and is on record. */
  sent: boolean
}

export interface StartDeps {
  upstreams: Upstreams
  operations: Pick<Operations, 'openStart' | 'unconfirmedStops'>
  settle: Settle
  livestreams: Pick<Livestreams, 'observed'>
  findActive: FindActive
  changed: ActiveReads['changed']
  outdated: ActiveReads['outdated']
  stillAllowed: StillAllowed
  recorded: Recorded
  motion: Motion<Started, unknown>
  clock: Clock
  bounded: Bounded
  deadlineMs: number
}

/**
 * Starts the meeting's livestream once: a call that finds it live, or being started, gets the same livestream and nothing
 * second goes upstream. The caller's connection is not part of it: who hangs up aborts nothing.
 * @throws StartUnsettled while an earlier start's outcome is unknown, and what a Provider and `recorded` throw
 */
export type StartOnce = (caller: Caller, meeting: OwnedMeeting, wish: LivestreamWish) => Promise<Started>

export function startOnce(deps: StartDeps): StartOnce {
  const { findActive, stillAllowed, recorded, motion, upstreams, livestreams, operations, settle } = deps
  const { changed, outdated, clock, bounded, deadlineMs } = deps

  async function lead(caller: Caller, meeting: OwnedMeeting, wish: LivestreamWish, waited: boolean): Promise<Started> {
    if (waited) await unsent(() => stillAllowed(caller, meeting, 'start'))
    await unsent(() => settleEarlier(meeting))
    return bounded(signal => lookAndSend(caller, meeting, wish, signal))
  }

  async function lookAndSend(
    caller: Caller,
    meeting: OwnedMeeting,
    wish: LivestreamWish,
    signal: AbortSignal
  ): Promise<Started> {
    const active = await unsent(() => findActive(meeting, 'mutation', signal))
    await unsent(() => overtakeStops(meeting))
    if (active !== null) return { livestream: active, started: false, sent: false }

    return recorded(mutationOf(caller, meeting), async (): Promise<Done<Started>> => {
      outdated(meeting)
      try {
        const livestream = await providerOf(upstreams, meeting, 'mutation').start(meeting.id, wish, signal)
        return done({ livestream: { ...livestream, ...named(livestream, wish) }, started: true, sent: true })
      } catch (error) {
        outdated(meeting)
        // Somebody else, a browser perhaps, was faster than our look.
        const elsewhere = error instanceof LiveElsewhere
        const lost = error instanceof Failure && error.outcome === 'unknown' && !signal.aborted
        if (!elsewhere && !lost) throw error
        const livestream = await findActive(meeting, 'mutation', signal).catch(cause => {
          throw elsewhere && cause instanceof Failure ? withOutcome(cause, 'failed') : error
        })
        if (livestream === null) throw error
        // Nothing was live when it was sent: what is now, it has started.
        return done({ livestream, started: lost, sent: true })
      }
    })

    function done(value: Started): Done<Started> {
      const { livestream, started } = value
      changed(meeting, livestream)
      const owner = { id: livestream.id, tenantId: meeting.tenantId, upstream: meeting.upstream, meetingId: meeting.id }
      return {
        value,
        status: started ? 201 : 200,
        livestreamId: livestream.id,
        data: withoutKey(livestream),
        streamKeyRevealed: revealsKey(shownTo(caller, livestream)),
        statements: livestreams.observed(owner, withoutKey(livestream), clock.now())
      }
    }
  }

  /** An earlier start whose answer was lost holds the meeting until it is settled. */
  async function settleEarlier({ id }: OwnedMeeting): Promise<void> {
    const earlier = await operations.openStart(id)
    if (earlier !== null && !(await settle(earlier))) throw unsettled(settle.settledInMs(earlier))
  }

  /** From here on the meeting is to be live. A start that got no further has overtaken nothing: then the last word was stop. */
  async function overtakeStops({ id }: OwnedMeeting): Promise<void> {
    for (const stop of await operations.unconfirmedStops(id)) await settle.overtake(stop)
  }

  return async (caller, meeting, wish) => {
    const arrivedAtMs = clock.monotonic()
    let mine = false
    const joinOrLead = motion.start(
      meeting.id,
      waited => {
        mine = true
        return lead(caller, meeting, wish, waited)
      },
      () => clock.monotonic() - arrivedAtMs > deadlineMs
    )
    const { result, led } = await joinOrLead.catch(error => {
      // The unknown outcome is that of another call: this one has sent nothing, and its key is free.
      const another = !mine && error instanceof Failure && error.outcome === 'unknown'
      throw another ? unsettled(deadlineMs) : error
    })
    const { livestream, sent } = result
    if (led && sent) return result
    // It is live already, or another call has started it: on record too, and answered so again under its key.
    const streamKeyRevealed = revealsKey(shownTo(caller, livestream))
    const answer = { status: 200, data: withoutKey(livestream), livestreamId: livestream.id, streamKeyRevealed }
    await recorded.answered(mutationOf(caller, meeting), answer)
    return { livestream, started: false, sent: false }
  }
}

function mutationOf(caller: Caller, { id, upstream }: OwnedMeeting): Mutation {
  return { caller, kind: 'start', upstream, meetingId: id }
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
