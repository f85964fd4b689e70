import type { Caller } from '../../domain/caller.ts'
import type { OwnedMeeting } from '../../domain/meeting.ts'
import { ScopeMissing } from '../../domain/refusals/failures.ts'
import type { Run } from '../../domain/runs/run.ts'
import { isOpenRun } from '../../domain/runs/run-moves.ts'
import type { Clock } from '../../domain/values/clock.ts'
import { tellTrouble } from '../../domain/values/tell-trouble.ts'
import type { BroadcastRuns } from '../../store/tables/runs/broadcast-runs.ts'
import type { Bounded } from '../context.ts'
import type { WhatRuns } from '../running/sight.ts'
import type { OrderStop } from './order-stop.ts'

export interface RetiredMeetingsDeps {
  runs: Pick<BroadcastRuns, 'concerned'>
  whatRuns: WhatRuns
  orderStop: OrderStop
  bounded: Bounded
  log: { error(facts: object, message: string): void }
  clock: Pick<Clock, 'now'>
}

/** Stops what is live in a meeting that becomes INACTIVE. */
export interface RetiredMeetings {
  /**
   * Before the change: a key that may not stop livestreams may retire a meeting only while nothing is live there. Others cost no look.
   * @throws ScopeMissing that names the scope; what a Provider throws
   */
  expectMayStop(caller: Caller, meeting: OwnedMeeting): Promise<void>
  /** After it: orders the stops of what is known, and looks behind the answer for what nobody has seen. Never throws. */
  stop(meeting: OwnedMeeting): Promise<void>
}

const scope = 'livestreams:stop'

export function retiredMeetings(deps: RetiredMeetingsDeps): RetiredMeetings {
  const { runs, whatRuns, orderStop, bounded, log, clock } = deps

  async function openRuns({ id: meetingId, tenantId, upstream }: OwnedMeeting): Promise<Run[]> {
    const asked = { kind: 'gone', tenantId, upstream, meetingId, livestreamId: null, atMs: clock.now() } as const
    return (await runs.concerned(asked)).filter(isOpenRun)
  }

  async function order(meeting: OwnedMeeting): Promise<void> {
    for (const run of await openRuns(meeting)) await orderStop(run, 'meeting_inactive')
  }

  function told(meeting: OwnedMeeting): (err: unknown) => void {
    return tellTrouble(
      log,
      'error',
      { event: 'inactive_meeting_stop_failed', meeting_id: meeting.id },
      'what is live in an INACTIVE meeting could not be stopped'
    )
  }

  return {
    async expectMayStop({ key }, meeting) {
      if (key.scopes.includes(scope)) return
      const { livestream, isEnding } = await bounded(signal => whatRuns(meeting, 'mutation', signal))
      const isLive = (livestream !== null && !isEnding) || (await openRuns(meeting)).some(isStarting)
      const message = `The meeting is live, and to end that the key lacks the scope ${scope}`
      if (isLive) throw new ScopeMissing({ message, details: [{ field: 'scope', message: `${scope} is needed` }] })
    },

    async stop(meeting) {
      await order(meeting).catch(told(meeting))
      // The look tells the ledger of a run that a browser has begun.
      bounded(signal => whatRuns(meeting, 'stop', signal))
        .then(() => order(meeting))
        .catch(told(meeting))
    }
  }
}

function isStarting({ status }: Run): boolean {
  return status === 'starting'
}
