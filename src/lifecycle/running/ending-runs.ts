import type { Livestream, LivestreamSession } from '../../domain/livestream.ts'
import type { OwnedMeeting, PlacedMeeting } from '../../domain/meeting.ts'
import { type Clock, inTime } from '../../domain/values/clock.ts'
import type { Provider } from '../../upstream/provider.ts'
import type { StopAgain } from '../broadcast/stop-again.ts'
import type { VendorNowMs } from '../context.ts'
import { OwnStops } from './own-actions.ts'
import { type ConfirmedStop, type Recalled, runsPerPage, type Verdict, verdictOf, withNewest } from './verdict.ts'

export interface EndingRunsDeps {
  /** Stops a run again that is still shown when it should have ended long ago. */
  stopAgain: StopAgain
  /** Looks at a meeting without a caller, also for runs that the vendor may hide. */
  look(meeting: OwnedMeeting): Promise<{ livestream: object | null }>
  vendorNowMs: VendorNowMs
  log: { warn(facts: object, message: string): void }
  clock: Pick<Clock, 'monotonic'>
  /** A run that was stopped may still be shown for so long. */
  settleMs: number
}

type NewStop = Pick<ConfirmedStop, 'meeting' | 'atMs' | 'dateMs' | 'sessionId' | 'quietLooks' | 'isRepeated'>

/** For so long after a stop a run without session and time is taken for the one that was stopped. */
const unprovenForMs = 10_000
const sharedForMs = 500
/** A confirmed stop is followed so soon, and again after `settleMs`; until two looks have shown nothing. */
const followAfterMs = 5_000
const quietLooksWanted = 2
const lookWithinMs = 10_000
const longestPauseMs = 30_000
const marginMs = 50

/**
 * Runs that were stopped and that the vendor still shows. A look that contradicts our own later, confirmed stop is not
 * believed. A run is an ending one in two cases: it is the session that went on before the stop, or it began before the
 * vendor's answer to it.
 */
export class EndingRuns extends OwnStops {
  readonly #deps: EndingRunsDeps

  constructor(deps: EndingRunsDeps) {
    super(deps.clock, deps.settleMs)
    this.#deps = deps
  }

  /** The vendor has confirmed a stop. @param toldMs its clock when it did, as far as it said. Gives what is believed of that */
  stopped(meeting: OwnedMeeting, toldMs: number | null): number | null {
    // A run that was stopped before and goes on is known by its session.
    const sessionId = this.confirmedIn(meeting)?.sessionId ?? null
    const dateMs = this.#dateOf(meeting, toldMs)
    this.answered(meeting)
    this.#begin({ meeting, atMs: this.#deps.clock.monotonic(), dateMs, sessionId, quietLooks: 0, isRepeated: false })
    return dateMs
  }

  /** An earlier process has heard that the vendor confirmed a stop. One that is past its time to settle is looked after once more. */
  recall(meeting: OwnedMeeting, { agoMs, dateMs, followInMs, isOthers = false }: Recalled): void {
    const quietLooks = agoMs < this.#deps.settleMs ? 0 : quietLooksWanted - 1
    const atMs = this.#deps.clock.monotonic() - agoMs
    this.#begin({ meeting, atMs, dateMs, sessionId: null, quietLooks, isRepeated: isOthers }, followInMs)
  }

  #begin(seen: NewStop, queuedForMs = 0): void {
    const isQueued = queuedForMs > 0
    const stop: ConfirmedStop = { ...seen, look: null, followUp: null, isQueued, isTold: false }
    this.remember(stop)
    this.#follow(stop, Math.max(queuedForMs, followAfterMs - this.#ageMs(stop)))
  }

  /**
   * Whether this livestream, which the vendor shows as running, shows the run that was stopped: `maybe` where that is not proved. Asks
   * by id at most once for all who look at the same time; the signal bounds how long this one waits.
   * @param isFollowUp the look is our own, and may have the run stopped again
   */
  async isEnding(
    meeting: OwnedMeeting,
    shown: Pick<Livestream, 'id'>,
    provider: Provider,
    isFollowUp: boolean,
    signal: AbortSignal
  ): Promise<boolean | 'maybe'> {
    const stop = this.confirmedIn(meeting)
    if (stop === undefined) return false
    const verdict = (await inTime(this.#verdictOn(stop, shown.id, provider), signal)) ?? 'unasked'
    // Somebody may have started it again meanwhile.
    if (this.confirmedIn(meeting) !== stop) return false
    if (verdict === 'newer') {
      this.forget(meeting)
      return false
    }
    const leftMs = this.#limitMs(verdict) - this.#ageMs(stop)
    if (leftMs > 0) {
      this.#follow(stop, this.#deps.settleMs - this.#ageMs(stop))
      return verdict === 'ending' ? true : 'maybe'
    }
    if (verdict === 'maybe' || verdict === 'likely')
      this.#tell(stop, 'nothing tells whether it is the same run: nothing is sent')
    else if (verdict === 'unasked') {
      this.#tell(stop, 'the vendor does not answer which run it is')
      this.#follow(stop, longestPauseMs)
    }
    // Readers see it again, and a start may want it: only our own look has it stopped again.
    else if (!isFollowUp) this.#followSoon(stop)
    else if (!stop.isRepeated)
      await this.#stopAgain(stop, async () => (await this.#verdictOn(stop, shown.id, provider)) === 'ending')
    return false
  }

  /** Whether runs of a livestream of this meeting, which were shown already, show the one that was stopped. @param areNewest the newest of them are there */
  showEnding(meeting: PlacedMeeting, sessions: LivestreamSession[], areNewest: boolean): boolean {
    const stop = this.confirmedIn(meeting)
    if (stop === undefined) return false
    const verdict = this.#verdictOf(stop, sessions, areNewest)
    return verdict !== 'newer' && this.#ageMs(stop) < this.#limitMs(verdict)
  }

  #limitMs(verdict: Verdict): number {
    return verdict === 'maybe' ? Math.min(unprovenForMs, this.#deps.settleMs) : this.#deps.settleMs
  }

  #ageMs({ atMs }: ConfirmedStop): number {
    return this.#deps.clock.monotonic() - atMs
  }

  /** Looks after that time, and again with growing pauses when the look fails. One look waits at a time; each stop has its own, so no `Loop`. */
  #follow(stop: ConfirmedStop, waitMs: number, pauseMs = 1_000): void {
    if (stop.followUp !== null || stop.isRepeated) return
    stop.followUp = setTimeout(() => this.#look(stop, pauseMs), Math.max(0, waitMs) + marginMs)
    stop.followUp.unref()
  }

  /** One that only waits behind those of other meetings goes ahead of them: here a run was seen that goes on. */
  #followSoon(stop: ConfirmedStop): void {
    if (stop.isQueued && stop.followUp !== null) {
      clearTimeout(stop.followUp)
      stop.followUp = null
      stop.isQueued = false
    }
    this.#follow(stop, sharedForMs)
  }

  async #look(stop: ConfirmedStop, pauseMs: number): Promise<void> {
    stop.followUp = null
    stop.isQueued = false
    if (this.confirmedIn(stop.meeting) !== stop) return
    try {
      const { livestream } = await this.#deps.look(stop.meeting)
      if (livestream !== null) return
      stop.quietLooks += 1
      // A vendor may show nothing for a moment, as it may show a run for one too many.
      const againInMs = Math.max(followAfterMs, this.#deps.settleMs - this.#ageMs(stop))
      if (stop.quietLooks < quietLooksWanted) this.#follow(stop, againInMs)
    } catch {
      this.#follow(stop, pauseMs, Math.min(pauseMs * 2, longestPauseMs))
    }
  }

  /** A failure says nothing new; the question is everybody's, and no single reader's. */
  #verdictOn(stop: ConfirmedStop, id: string, provider: Provider): Promise<Verdict> {
    const nowMs = this.#deps.clock.monotonic()
    if (stop.look === null || nowMs - stop.look.atMs > sharedForMs) {
      const signal = AbortSignal.timeout(lookWithinMs)
      const verdict = provider
        .findLivestream(id, { pageNo: 1, perPage: runsPerPage }, signal)
        .then(async found => {
          if (found === null) return this.#verdictOf(stop, [])
          const { sessions, areNewest } = await withNewest(provider, found, signal)
          return this.#verdictOf(stop, sessions, areNewest)
        })
        .catch(() => 'unasked' as const)
      stop.look = { atMs: nowMs, verdict }
    }
    return stop.look.verdict
  }

  #verdictOf(stop: ConfirmedStop, sessions: LivestreamSession[], areNewest = true): Verdict {
    const vendorNowMs = (bound: 'earliest' | 'latest') => this.#deps.vendorNowMs(stop.meeting.upstream, bound)
    const now = { earliestMs: vendorNowMs('earliest'), latestMs: vendorNowMs('latest') }
    return verdictOf(stop, sessions, { areNewest, ageMs: this.#ageMs(stop), now })
  }

  /** The date of an answer, unless it contradicts those of all others: then what those say counts. */
  #dateOf({ upstream }: OwnedMeeting, dateMs: number | null): number | null {
    const latestMs = this.#deps.vendorNowMs(upstream, 'latest')
    if (dateMs !== null && (latestMs === null || Math.abs(latestMs - dateMs) <= 3_000)) return dateMs
    const earliestMs = this.#deps.vendorNowMs(upstream, 'earliest')
    return earliestMs === null ? null : Math.floor(earliestMs / 1_000) * 1_000
  }

  async #stopAgain(stop: ConfirmedStop, isStillEnding: () => Promise<boolean>): Promise<void> {
    this.#tell(stop, 'it is stopped again')
    stop.isRepeated = true
    const isWanted = async (): Promise<boolean> => this.confirmedIn(stop.meeting) === stop && (await isStillEnding())
    stop.isRepeated = await this.#deps.stopAgain(stop, isWanted)
    // Else the next look tries again.
    if (!stop.isRepeated) this.#follow(stop, followAfterMs)
  }

  #tell(stop: ConfirmedStop, what: string): void {
    if (!stop.isTold)
      this.#deps.log.warn(
        { event: 'stop_ineffective', meeting_id: stop.meeting.id },
        `a livestream that was stopped still goes on: ${what}`
      )
    stop.isTold = true
  }
}
