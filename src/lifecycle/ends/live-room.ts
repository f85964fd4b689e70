import { endOfStart, type LiveLimits, longestRunSeconds, monthOf, noLiveLimits } from '../../domain/ends/live-limits.ts'
import type { OwnedMeeting } from '../../domain/meeting.ts'
import { Failure, InvalidInput, LiveLimitReached } from '../../domain/refusals/failures.ts'
import type { Clock } from '../../domain/values/clock.ts'
import { Conflict, type Statement } from '../../store/engine/engine.ts'
import type { Directory } from '../../store/memory/directory.ts'
import type { LiveUses } from '../../store/tables/runs/live-use.ts'

export interface LiveRoomDeps {
  use: Pick<LiveUses, 'room' | 'used'>
  directory: Pick<Directory, 'tenant'>
  clock: Pick<Clock, 'now'>
}

/** Room for another run of a tenant: counted in the transaction that writes the run down, so that no two starts share the last place. */
export interface LiveRoom {
  /** @throws InvalidInput that names the field when the tenant may not have so long a run */
  expectAllowed(tenantId: string, seconds: number | undefined): void
  /** The end of a run that is about to be started. */
  endOf(meeting: OwnedMeeting, seconds: number | undefined, nowMs: number): ReturnType<typeof endOfStart>
  /** Conditions for the transaction of the intent. */
  conditions(meeting: OwnedMeeting): Statement[]
  /** The refusal of an intent whose conditions did not hold, in the words of the limit; else the same error. */
  refusalOf(error: unknown, meeting: OwnedMeeting): Promise<unknown>
}

export function liveRoom({ use, directory, clock }: LiveRoomDeps): LiveRoom {
  const limits = (tenantId: string): LiveLimits => directory.tenant(tenantId)?.limits ?? noLiveLimits

  return {
    expectAllowed: (tenantId, seconds) => expectAllowed(seconds ?? null, limits(tenantId)),

    endOf: ({ tenantId }, seconds, nowMs) => endOfStart(seconds ?? null, limits(tenantId), nowMs),

    conditions(meeting) {
      const { maxLive, minutesPerMonth } = limits(meeting.tenantId)
      if (maxLive === null && minutesPerMonth === null) return []
      return use.room({ tenantId: meeting.tenantId, meeting, nowMs: clock.now() }, { maxLive, minutesPerMonth })
    },

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

/** @throws InvalidInput that names the field when the tenant may not have so long a run */
function expectAllowed(seconds: number | null, { maxDurationSeconds }: LiveLimits): void {
  const most = maxDurationSeconds ?? longestRunSeconds
  if (seconds === null || seconds <= most) return
  const message = `must be <= ${most}, the longest run of this tenant`
  throw new InvalidInput({ outcome: 'not_sent', details: [{ field: 'body.max_duration_seconds', message }] })
}
