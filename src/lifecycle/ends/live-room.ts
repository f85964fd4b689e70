import { type LiveLimits, monthOf, noLiveLimits } from '../../domain/ends/live-limits.ts'
import type { OwnedMeeting } from '../../domain/meeting.ts'
import { Failure, LiveLimitReached } from '../../domain/refusals/failures.ts'
import type { Clock } from '../../domain/values/clock.ts'
import { Conflict, type Statement } from '../../store/engine/engine.ts'
import type { LiveUses } from '../../store/tables/runs/live-use.ts'

export interface LiveRoomDeps {
  use: Pick<LiveUses, 'room' | 'used'>
  limitsOf(tenantId: string): LiveLimits | undefined
  clock: Pick<Clock, 'now'>
}

/** Room for another run of a tenant: counted in the transaction that writes the run down, so that no two starts share the last place. */
export interface LiveRoom {
  limitsOf(tenantId: string): LiveLimits
  /** Conditions for the transaction of the intent. */
  conditions(meeting: OwnedMeeting): Statement[]
  /** The refusal of an intent whose conditions did not hold, in the words of the limit; else the same error. */
  refusalOf(error: unknown, meeting: OwnedMeeting): Promise<unknown>
}

export function liveRoom({ use, limitsOf, clock }: LiveRoomDeps): LiveRoom {
  const limits = (tenantId: string): LiveLimits => limitsOf(tenantId) ?? noLiveLimits

  return {
    limitsOf: limits,

    conditions: meeting =>
      use.room({ tenantId: meeting.tenantId, meeting, nowMs: clock.now() }, limits(meeting.tenantId)),

    async refusalOf(error, meeting) {
      if (!(error instanceof Failure && error.cause instanceof Conflict)) return error
      const { maxLive, minutesPerMonth } = limits(meeting.tenantId)
      const nowMs = clock.now()
      const { live, spentMs } = await use.used({ tenantId: meeting.tenantId, meeting, nowMs })
      const isMinutes = maxLive === null || (minutesPerMonth !== null && live < maxLive)
      const minutes = Math.floor(spentMs / 60_000)
      return isMinutes
        ? reached(
            'minutes_per_month',
            `${minutes} of ${minutesPerMonth} minutes of ${monthOf(nowMs).name} (UTC) are used`
          )
        : reached('max_live', `${live} of ${maxLive} runs go on or are being started`)
    }
  }
}

function reached(limit: string, used: string): Failure {
  const message = `The limit ${limit} of this tenant is reached: ${used}`
  return new LiveLimitReached({ outcome: 'not_sent', message, details: [{ field: limit, message: used }] })
}
