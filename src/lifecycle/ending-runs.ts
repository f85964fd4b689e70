import { LRUCache } from 'lru-cache'
import type { Clock } from '../domain/clock.ts'
import type { Livestream, LivestreamSession } from '../domain/livestream.ts'
import type { OwnedMeeting } from '../domain/meeting.ts'
import type { Provider } from '../upstream/provider.ts'
import { beginOf } from './evidence.ts'

export interface EndingRunsDeps {
  /** The same run is still shown when it should have ended long ago: it is to be stopped again. */
  stopAgain(meeting: OwnedMeeting): void
  /** Looks at a meeting, for nobody but this. */
  look(meeting: OwnedMeeting): Promise<unknown>
  log: { warn(facts: object, message: string): void }
  clock: Pick<Clock, 'monotonic'>
  /** So long a run that was stopped may still be shown. */
  settleMs: number
}

/** A stop that the vendor has confirmed, and that no start has followed. */
interface ConfirmedStop {
  atMs: number
  /** The vendor's clock when it answered, in whole seconds. */
  dateMs: number | null
  /** The run that was seen to go on after the stop. */
  sessionId: string | null
  /** The last look and its verdict, shared by all who look at this meeting. */
  look: { atMs: number; verdict: Promise<Verdict> } | null
  /** Somebody will look when it should have ended, whoever reads. */
  isFollowed: boolean
  isTold: boolean
}

/** `maybe`: the vendor shows nothing that would tell. */
type Verdict = 'ending' | 'newer' | 'maybe'

/** Where the vendor tells neither session nor time, what it shows so soon after a stop is the run that was stopped. */
const unprovenForMs = 10_000
const sharedForMs = 500
/** So long after its stop a run that had just begun is looked for. */
const youngAfterMs = 5_000
const marginMs = 50
const maxMeetings = 10_000

/**
 * Runs that were stopped and that the vendor still shows. A look that contradicts our own later, confirmed stop is not believed: a
 * run is an ending one when it is the session that went on before the stop, or began before the vendor's own answer to it.
 */
export class EndingRuns {
  readonly #deps: EndingRunsDeps
  readonly #stops = new LRUCache<string, ConfirmedStop>({ max: maxMeetings })

  constructor(deps: EndingRunsDeps) {
    this.#deps = deps
  }

  /**
   * The vendor has confirmed a stop.
   * @param dateMs its clock when it did, in epoch ms; null when it did not say
   * @param isYoung the meeting was started a moment ago: a vendor may confirm the stop of a run that is not on air yet, so
   * somebody looks
   */
  stopped(meeting: OwnedMeeting, dateMs: number | null, { isYoung = false } = {}): void {
    const atMs = this.#deps.clock.monotonic()
    const stop = { atMs, dateMs, sessionId: null, look: null, isFollowed: false, isTold: false }
    this.#stops.set(meeting.id, stop)
    if (isYoung) this.#lookAfter(youngAfterMs, meeting, stop)
  }

  /** The vendor has begun another run: what it shows from now on is that one. */
  started({ id }: OwnedMeeting): void {
    this.#stops.delete(id)
  }

  /** Whether a run of this meeting was stopped a moment ago. */
  isRecent({ id }: OwnedMeeting): boolean {
    const stop = this.#stops.get(id)
    return stop !== undefined && this.#ageMs(stop) < this.#deps.settleMs
  }

  /**
   * Whether this livestream, which the vendor shows as running, shows the run that was stopped: `maybe` where nothing tells. Asks by
   * id at most once for all who look at the same time.
   */
  async isEnding(
    meeting: OwnedMeeting,
    shown: Pick<Livestream, 'id'>,
    provider: Provider,
    signal: AbortSignal
  ): Promise<boolean | 'maybe'> {
    const stop = this.#stops.get(meeting.id)
    if (stop === undefined) return false
    const verdict = await this.#verdictOn(stop, shown.id, provider, signal)
    // Somebody may have started it again meanwhile.
    if (this.#stops.get(meeting.id) !== stop) return false
    if (verdict === 'newer') {
      this.#stops.delete(meeting.id)
      return false
    }
    if (this.#ageMs(stop) < this.#limitMs(verdict)) {
      if (!stop.isFollowed) this.#lookAfter(this.#deps.settleMs - this.#ageMs(stop), meeting, stop)
      stop.isFollowed = true
      return verdict === 'maybe' ? 'maybe' : true
    }
    this.#goesOn(meeting, stop, verdict)
    return false
  }

  /** The same of runs that were shown already: the newest of a livestream of this meeting. */
  showEnding({ id }: Pick<OwnedMeeting, 'id'>, sessions: LivestreamSession[]): boolean {
    const stop = this.#stops.get(id)
    if (stop === undefined) return false
    const verdict = verdictOf(stop, sessions)
    return verdict !== 'newer' && this.#ageMs(stop) < this.#limitMs(verdict)
  }

  #limitMs(verdict: Verdict): number {
    return verdict === 'maybe' ? Math.min(unprovenForMs, this.#deps.settleMs) : this.#deps.settleMs
  }

  #lookAfter(waitMs: number, meeting: OwnedMeeting, stop: ConfirmedStop): void {
    const look = (): void => {
      if (this.#stops.get(meeting.id) === stop) this.#deps.look(meeting).catch(() => {}) // the next look tells
    }
    setTimeout(look, waitMs + marginMs).unref()
  }

  #ageMs({ atMs }: ConfirmedStop): number {
    return this.#deps.clock.monotonic() - atMs
  }

  #verdictOn(stop: ConfirmedStop, id: string, provider: Provider, signal: AbortSignal): Promise<Verdict> {
    const nowMs = this.#deps.clock.monotonic()
    if (stop.look === null || nowMs - stop.look.atMs > sharedForMs) {
      stop.look = { atMs: nowMs, verdict: lookAt(stop, id, provider, signal).catch(() => 'maybe' as const) }
    }
    return stop.look.verdict
  }

  /** It was not stopped, then: all who look see it again. */
  #goesOn(meeting: OwnedMeeting, stop: ConfirmedStop, verdict: Verdict): void {
    if (stop.isTold) return
    stop.isTold = true
    if (verdict === 'ending') {
      this.#deps.log.warn({ meeting_id: meeting.id }, 'a run that was stopped still goes on: it is stopped again')
      this.#deps.stopAgain(meeting)
    } else {
      const message =
        'a livestream is shown after its stop, and nothing tells whether it is the same run: nothing is sent'
      this.#deps.log.warn({ meeting_id: meeting.id }, message)
    }
  }
}

async function lookAt(stop: ConfirmedStop, id: string, provider: Provider, signal: AbortSignal): Promise<Verdict> {
  const found = await provider.findLivestream(id, { pageNo: 1, perPage: 10 }, signal)
  return verdictOf(stop, found?.sessions ?? [])
}

/** Remembers besides, for the next look, which session is the one that was stopped. */
function verdictOf(stop: ConfirmedStop, sessions: LivestreamSession[]): Verdict {
  const session = goingOn(sessions)
  if (session === undefined) return 'maybe'
  if (session.id === stop.sessionId) return 'ending'
  const beganAtMs = Date.parse(beginOf(session) ?? '')
  if (stop.dateMs === null || Number.isNaN(beganAtMs)) return 'maybe'
  if (beganAtMs < stop.dateMs) {
    stop.sessionId = session.id
    return 'ending'
  }
  // The vendor's clock is told in whole seconds: within that second both are possible.
  return beganAtMs < stop.dateMs + 1_000 ? 'maybe' : 'newer'
}

/** The session without an end, else the one that began last. */
function goingOn(sessions: LivestreamSession[]): LivestreamSession | undefined {
  const beganAtMs = (session: LivestreamSession): number => Date.parse(beginOf(session) ?? '') || 0
  const newestFirst = sessions.toSorted((a, b) => beganAtMs(b) - beganAtMs(a))
  return newestFirst.find(({ stopped_time }) => stopped_time == null) ?? newestFirst[0]
}
