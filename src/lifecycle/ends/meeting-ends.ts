import { type LiveLimits, noLiveLimits } from '../../domain/ends/live-limits.ts'
import { isExempt, startOf } from '../../domain/ends/run-ends.ts'
import { isSameId } from '../../domain/id.ts'
import { onlyReplica, type Replicas } from '../../domain/replicas.ts'
import { causeOf, type Run } from '../../domain/runs/run.ts'
import { type Clock, Loop } from '../../domain/values/clock.ts'
import { tellTrouble } from '../../domain/values/tell-trouble.ts'
import type { Upstreams } from '../../upstream/provider.ts'
import { type Bounded, upstreamOf } from '../context.ts'
import type { OpenRuns } from '../ledger/hub.ts'
import type { ChangeEnd } from './change-end.ts'
import type { OrderStop } from './order-stop.ts'

export interface MeetingEndsDeps {
  openRuns: OpenRuns
  upstreams: Upstreams
  limitsOf(tenantId: string): LiveLimits | undefined
  limitsFromMs(): number
  changeEnd: ChangeEnd
  orderStop: OrderStop
  bounded: Bounded
  log: { info(facts: object, message: string): void; error(facts: object, message: string): void }
  clock: Clock
  replicas?: Pick<Replicas, 'leads'>
}

/** A vendor's verified word about a meeting. */
export interface MeetingNotice {
  upstream: string
  meetingId: string
  /** Session of the meeting that it is about. */
  sessionId: string
  event: 'meeting.started' | 'meeting.ended'
}

/** Memory is looked at so often, which costs no look-up. */
const everyMs = 1_000
/** Each run's meeting is looked at so often, first when the run is so old, and two looks that agree are so far apart. */
const lookEveryMs = 60_000
/** These looks may use such a part of the quota; beyond it they come less often. All else comes before them. */
const partOfQuota = 0.1

/**
 * Ends runs with their meetings: after the vendor's verified word that the session has ended which was seen during the run, or when two
 * looks show that it is gone. Where no session was ever seen, as with an encoder, nothing is concluded. The vendor's list of sessions proves nothing.
 */
export class MeetingEnds {
  readonly #deps: MeetingEndsDeps
  readonly #loop: Loop
  /** When the meeting of a run was looked at; -Infinity: it is to be looked at now. */
  readonly #lookedAtMs = new Map<string, number>()
  /** When the next look at an upstream may be. */
  readonly #freeAtMs = new Map<string, number>()

  constructor(deps: MeetingEndsDeps) {
    this.#deps = deps
    const onTrouble = tellTrouble(
      deps.log,
      'error',
      { event: 'run_meetings_failed' },
      'meetings of runs could not be looked at'
    )
    this.#loop = new Loop({ round: () => this.round(), everyMs, onTrouble })
  }

  begin(): void {
    this.#loop.start()
  }

  /** Takes a verified word of the vendor's. One about an earlier session of the meeting ends nothing. @throws what the store throws */
  async noticed({ upstream, meetingId, sessionId, event }: MeetingNotice): Promise<void> {
    const here = this.#followed().filter(run => run.upstream === upstream && isSameId(run.meetingId ?? '', meetingId))
    for (const run of here) {
      if (event === 'meeting.started') this.#lookedAtMs.set(run.id, Number.NEGATIVE_INFINITY)
      else if (isOf(run, sessionId)) await this.#deps.orderStop(run, 'meeting_ended', now => isOf(now, sessionId))
    }
  }

  /** Looks at the meetings whose turn it is, where this replica leads. */
  async round(): Promise<void> {
    const { clock, openRuns, replicas = onlyReplica } = this.#deps
    if (!replicas.leads()) return
    const nowMs = clock.monotonic()
    for (const id of this.#lookedAtMs.keys()) if (openRuns.get(id) === null) this.#lookedAtMs.delete(id)
    const ofUpstreams = Map.groupBy(this.#followed(), ({ upstream }) => upstream)
    // Accounts do not wait for each other.
    const looks = [...ofUpstreams].map(async ([upstream, runs]) => {
      const due = runs
        .map(run => ({ run, dueAtMs: this.#dueAtMs(run, nowMs) }))
        .filter(({ dueAtMs }) => dueAtMs <= nowMs)
      for (const { run } of due.sort((a, b) => a.dueAtMs - b.dueAtMs)) {
        if (!this.#mayLook(upstream, nowMs)) return
        await this.#look(this.#deps.openRuns.get(run.id) ?? run)
      }
    })
    await Promise.all(looks)
  }

  #dueAtMs(run: Run, nowMs: number): number {
    const lookedAtMs = this.#lookedAtMs.get(run.id)
    if (lookedAtMs !== undefined) return lookedAtMs + lookEveryMs
    return nowMs - (this.#deps.openRuns.nowFor(run) - startOf(run)) + lookEveryMs
  }

  /** Takes the next place in the quota. These looks come after everything else. */
  #mayLook(upstream: string, nowMs: number): boolean {
    const budget = this.#deps.upstreams.get(upstream)?.status().budget
    if (budget === undefined) return true
    const gapMs = budget.windowMs / (budget.quota * partOfQuota)
    const freeAtMs = Math.max(this.#freeAtMs.get(upstream) ?? 0, nowMs - everyMs)
    if (freeAtMs > nowMs) return false
    this.#freeAtMs.set(upstream, freeAtMs + gapMs)
    return true
  }

  async close(): Promise<void> {
    await this.#loop.close()
  }

  #followed(): Run[] {
    const { openRuns, limitsOf, limitsFromMs } = this.#deps
    return openRuns.all().filter(run => {
      const { tenantId, status, meetingId, isManual } = run
      const isOn = status !== 'starting' && meetingId !== null && !isManual && causeOf(run) === null
      return isOn && (limitsOf(tenantId) ?? noLiveLimits).stopWithMeeting && !isExempt(run, limitsFromMs())
    })
  }

  async #look(run: Run): Promise<void> {
    const { upstreams, bounded, changeEnd, log, clock, openRuns } = this.#deps
    const { id, tenantId, meetingId } = run
    this.#lookedAtMs.set(id, clock.monotonic())
    const askedAtMs = openRuns.nowFor(run)
    try {
      const provider = upstreamOf(upstreams, run, 'read').on({ tenantId, priority: 'read', isBackground: true })
      const session = await bounded(signal => provider.findActiveSession(meetingId ?? '', signal))
      if (session !== null) {
        const change = { meetingSessionId: session.id, sessionGoneAtMs: null }
        const isNews = (now: Run): boolean => now.meetingSessionId !== session.id || now.sessionGoneAtMs !== null
        if (isNews(run)) await changeEnd(run, now => (isNews(now) ? { change } : null))
      } else if (run.meetingSessionId !== null) await this.#gone(run, askedAtMs)
    } catch (err) {
      // A look that fails is no proof of anything.
      log.info(
        { event: 'run_meeting_unseen', err, meeting_id: meetingId },
        'the meeting of a run could not be looked at'
      )
    }
  }

  /** Nobody is there: the second look that says so ends the run. */
  async #gone(run: Run, nowMs: number): Promise<void> {
    const { changeEnd, orderStop } = this.#deps
    if (run.sessionGoneAtMs === null) {
      const first = (now: Run) => (now.sessionGoneAtMs === null ? { change: { sessionGoneAtMs: nowMs } } : null)
      await changeEnd(run, first)
    } else if (nowMs - run.sessionGoneAtMs >= lookEveryMs) {
      await orderStop(run, 'meeting_ended', now => now.sessionGoneAtMs !== null)
    }
  }
}

function isOf({ meetingSessionId }: Run, sessionId: string): boolean {
  return meetingSessionId !== null && isSameId(meetingSessionId, sessionId)
}
