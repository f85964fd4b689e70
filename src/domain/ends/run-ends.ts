import { causeOf, type Run, type RunEnd, type RunEnder } from '../runs/run.ts'
import { isOpenRun } from '../runs/run-moves.ts'
import { type LiveLimits, monthOf, usualSeconds } from './live-limits.ts'

/** A tenant is warned so long before the end of a run. */
const warnedBeforeMs = 60_000
/** A limit that comes to a run later leaves it the warning and ten minutes more. */
const graceMs = warnedBeforeMs + 600_000

/** All that decides with a run's own row when it ends. */
export interface EndFacts {
  limits: LiveLimits
  /** A run that began before is not ended by a limit. */
  limitsFromMs: number
  neverLiveMs: number
  nowMs: number
}

/** An end that lies ahead, or is due. */
export interface ComingEnd {
  readonly atMs: number
  readonly by: RunEnder
}

/** Time from which the seconds of a run are counted. */
export function startOf({ invokedAtMs, createdAtMs }: Pick<Run, 'invokedAtMs' | 'createdAtMs'>): number {
  return invokedAtMs ?? createdAtMs
}

/** A run of before the upgrade, or one whose begin nobody has told and that was found right after it. */
export function isExempt(run: Run, limitsFromMs: number): boolean {
  const isUndated = run.operationId === null && run.sessionId === null
  return startOf(run) < limitsFromMs || (isUndated && run.createdAtMs < limitsFromMs + graceMs)
}

/**
 * A limit of the tenant that a run does not keep yet, since it was found here or the limit was set later. Null: nothing changes. A
 * livestream without a meeting cannot be stopped at its vendor, so that no end is promised for it.
 */
export function limited(run: Run, { limits, limitsFromMs, nowMs }: EndFacts): Partial<RunEnd> | null {
  const { maxDurationSeconds: most } = limits
  const isOwn = run.maxDurationSeconds !== null && run.deadlineAtMs !== null
  if (run.meetingId === null || (isExempt(run, limitsFromMs) && !isOwn)) return null
  const seconds = isOwn ? most : usualSeconds(limits)
  if (seconds === null || (isOwn && (run.maxDurationSeconds ?? 0) <= seconds)) return null
  const deadlineAtMs = Math.max(startOf(run) + seconds * 1_000, nowMs + graceMs)
  return { maxDurationSeconds: seconds, deadlineAtMs: Math.min(deadlineAtMs, run.deadlineAtMs ?? deadlineAtMs) }
}

/** A wish for another duration, in seconds from the run's start. It never lies in the past; `isJoin`: it may only shorten, after a warning. */
export function wished(run: Run, seconds: number, nowMs: number, isJoin = false): Partial<RunEnd> | null {
  const deadlineAtMs = Math.max(startOf(run) + seconds * 1_000, isJoin ? nowMs + warnedBeforeMs : nowMs)
  if (isJoin && run.deadlineAtMs !== null && run.deadlineAtMs <= deadlineAtMs) return null
  return { maxDurationSeconds: seconds, deadlineAtMs }
}

/** The first end of a run, as far as one is known. A livestream without a meeting cannot be stopped at its vendor. */
export function endOf(run: Run, { limits, limitsFromMs, neverLiveMs, nowMs }: EndFacts): ComingEnd | null {
  if (!isOpenRun(run) || run.meetingId === null) return null
  const cause = causeOf(run)
  if (cause !== null) return { atMs: nowMs, by: cause }
  const ends: ComingEnd[] = []
  if (run.deadlineAtMs !== null) ends.push({ atMs: run.deadlineAtMs, by: 'max_duration' })
  if (run.spentAtMs !== null && limits.minutesPerMonth !== null) ends.push({ atMs: run.spentAtMs, by: 'minutes_spent' })
  if (run.status === 'invoked' && !run.isManual && !isExempt(run, limitsFromMs)) {
    const leastAtMs = run.operationId === null ? run.createdAtMs + graceMs : 0
    ends.push({ atMs: Math.max(startOf(run) + neverLiveMs, leastAtMs), by: 'never_live' })
  }
  return ends.sort((a, b) => a.atMs - b.atMs)[0] ?? null
}

/** Whether the tenant is to be told now that a run is about to end. Another end that is much later is told again. */
export function isToBeWarned({ warnedForMs, livestreamId }: Run, end: ComingEnd, nowMs: number): boolean {
  if (livestreamId === null || end.atMs - warnedBeforeMs > nowMs) return false
  return warnedForMs === null || end.atMs > warnedForMs + warnedBeforeMs
}

/** Minutes on air of a tenant in this month. */
export interface MinutesSpent {
  /** Time of its runs that are over, in ms. */
  endedMs: number
  /** When each of those that are on air went on air. */
  liveSinceMs: readonly number[]
}

/** When the minutes of the month are spent if all that is on air stays so; null: not in this month. */
export function spentAt({ endedMs, liveSinceMs }: MinutesSpent, minutes: number, nowMs: number): number | null {
  const { startMs, endMs } = monthOf(nowMs)
  const usedMs = liveSinceMs.reduce((sum, sinceMs) => sum + Math.max(0, nowMs - Math.max(sinceMs, startMs)), endedMs)
  if (liveSinceMs.length === 0) return null
  const atMs = nowMs + (minutes * 60_000 - usedMs) / liveSinceMs.length
  return atMs < endMs ? Math.floor(atMs) : null
}

/** Small differences of a forecast are no news. */
const slackMs = 5_000
const freshForMs = 2 * warnedBeforeMs

/**
 * The end of a run for spent minutes, as its row is to have it. It is written down when it is near, so that a restart finds it. It does
 * not come nearer than the warning allows. One that comes without one, since the limit was lowered, leaves a long-running run its grace.
 */
export function spentOf(run: Run, forecastMs: number | null, nowMs: number): number | null {
  const { spentAtMs: keptMs, liveAtMs } = run
  if (forecastMs === null || liveAtMs === null || forecastMs > nowMs + graceMs) return null
  const isInTime = forecastMs >= nowMs + warnedBeforeMs
  if (keptMs !== null) {
    if (Math.abs(forecastMs - keptMs) < slackMs) return keptMs
    return forecastMs > keptMs || isInTime ? forecastMs : keptMs
  }
  if (isInTime) return forecastMs
  return nowMs + (nowMs - liveAtMs < freshForMs ? warnedBeforeMs : graceMs)
}
