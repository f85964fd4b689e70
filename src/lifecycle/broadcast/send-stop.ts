import type { OwnedMeeting } from '../../domain/meeting.ts'
import { Failure, InvalidInput, isOneOf, UpstreamRefused, withOutcome } from '../../domain/refusals/failures.ts'
import type { Priority, StopAnswer, Upstreams } from '../../upstream/provider.ts'
import { providerOf } from '../context.ts'
import type { ActiveReads } from '../reads/shared-reads.ts'
import type { EndingRuns } from '../running/ending-runs.ts'
import type { OwnStarts } from '../running/own-actions.ts'
import type { WhatRuns } from '../running/sight.ts'
import type { StopPace } from './stop-pace.ts'
import type { StopRights } from './stop-rights.ts'

/** Outcome of a stop that nothing contradicts. */
export interface StopOutcome {
  /** The vendor has called it a success: its clock then, in epoch ms, as far as it tells. */
  confirmed?: { vendorAtMs: number | null }
  /** The vendor has refused it, and one look shows nothing live: something may still come, and a later look must agree. */
  isWatched: boolean
  /** The vendor's refusal, if it refused. */
  refused?: Failure
  /** As many calls went out for it. */
  calls: number
}

/**
 * Sends a stop once and finds out what came of it. A refusal is explained by a look.
 * @throws what a Provider throws; UpstreamRefused, `unknown`, when the vendor still shows the run
 */
export type SendStop = (meeting: OwnedMeeting, priority: Priority, signal: AbortSignal) => Promise<StopOutcome>

export interface SendStopDeps {
  upstreams: Upstreams
  whatRuns: WhatRuns
  outdated: ActiveReads['outdated']
  endingRuns: EndingRuns
  ownStarts: Pick<OwnStarts, 'believed' | 'hasSent'>
  pace: StopPace
  rights: StopRights
  settleMs: number
}

export function sendStop(deps: SendStopDeps): SendStop {
  const { upstreams, whatRuns, outdated, endingRuns, ownStarts, pace, rights, settleMs } = deps

  return (meeting, priority, signal) =>
    rights.during(meeting, priority, async priority => {
      let calls = 0
      const onSent = (): void => void calls++
      try {
        return { ...(await sendAndLook(meeting, priority, signal, onSent)), calls }
      } catch (error) {
        rights.noteFailed(meeting, calls)
        throw error
      }
    })

  async function sendAndLook(
    meeting: OwnedMeeting,
    priority: Priority,
    signal: AbortSignal,
    onSent: () => void
  ): Promise<Omit<StopOutcome, 'calls'>> {
    const heard = await ask(meeting, priority, signal, onSent)
    if ('stopped' in heard && heard.stopped) {
      pace.takenUp(meeting)
      ownStarts.believed(meeting)
      return { confirmed: { vendorAtMs: endingRuns.stopped(meeting, heard.dateMs) }, isWatched: false }
    }
    const { livestream, isEnding, isUnclear } = await whatRuns(meeting, priority, signal, { onSent }).catch(error => {
      // After a stop was sent nothing says "not sent" any more.
      throw error instanceof Failure ? withOutcome(error, 'unknown') : error
    })
    if (livestream !== null && !isEnding) {
      const { upstreamStatus, upstreamReason } = 'refused' in heard ? heard.refused : {}
      throw new UpstreamRefused({ outcome: 'unknown', upstreamStatus, upstreamReason })
    }
    pace.takenUp(meeting)
    const refused = 'refused' in heard ? { refused: heard.refused } : {}
    return {
      isWatched: 'refused' in heard || isUnclear || ownStarts.hasSent(meeting, settleMs),
      ...refused
    }
  }

  async function ask(
    meeting: OwnedMeeting,
    priority: Priority,
    signal: AbortSignal,
    onSent: () => void
  ): Promise<StopAnswer | { refused: Failure }> {
    try {
      return await providerOf(upstreams, meeting, priority, onSent).stop(meeting.id, signal)
    } catch (error) {
      if (error instanceof Failure && isAboutTheMoment(error)) return { refused: error }
      // A stop that was not sent can have done nothing.
      const isSent = !(error instanceof Failure) || error.outcome !== 'not_sent'
      if (isSent) endingRuns.unconfirmed(meeting)
      throw error
    } finally {
      outdated(meeting)
    }
  }
}

/** The vendor has heard the stop and says no: a look tells why. A 403 says that it did not listen. */
function isAboutTheMoment(error: Failure): boolean {
  const isRefused = isOneOf(error, UpstreamRefused, InvalidInput) && error.outcome !== 'unknown'
  return isRefused && error.upstreamStatus !== undefined && error.upstreamStatus !== 403
}
