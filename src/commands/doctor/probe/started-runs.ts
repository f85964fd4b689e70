import { isVendorId } from '../../../domain/id.ts'
import { isOver, isRunning } from '../../../domain/livestream.ts'
import { Failure } from '../../../domain/refusals/failures.ts'
import { path } from '../../../upstream/contract/contract.ts'
import type { RefusalReader } from '../../../upstream/contract/refusals.ts'
import { at } from '../../../upstream/contract/vendor-words.ts'
import type { Heard, InspectorCall } from '../../../upstream/transport/vendor-inspector.ts'
import type { Vendor } from '../../../upstream/vendors/vendor.ts'
import { type Asker, Ended } from './asker.ts'
import type { Surroundings } from './surroundings.ts'

/** Something that was started may still be live, and a person has to look after it. */
export class StillLive extends Error {}

const stopWithinMs = 60_000
/** Time without anything live after which a start whose answer was lost counts as not carried out. */
const quietForMs = 5_000
/** Time for which a run may be hidden before it is LIVE, unless the vendor has shown another one. */
const usuallyHiddenForMs = 30_000

/** The livestream that a meeting shows as active. */
export interface Shown {
  status: number
  /** Null when nothing is. */
  state: string | null
}

/** The answer to a start: 2xx with the livestream's id, or a refusal. */
export interface StartHeard {
  status: number
  id: string | null
  heard: Heard
}

export interface RunsOptions {
  asker: Asker
  vendor: Pick<Vendor, 'refusals'>
  meetingId: string
  surroundings: Surroundings
}

/** The livestreams that questions start in a meeting: none of them outlives the questions. */
export class StartedRuns {
  /** All that were started. */
  readonly ids = new Set<string>()
  readonly #asker: Asker
  readonly #refusals: RefusalReader
  readonly #surroundings: Surroundings
  readonly #meetingId: string
  readonly #path: string
  /** Time that a run was seen to take until it is LIVE. Before that it may be hidden, and a stop of it may be refused. */
  hiddenForMs = usuallyHiddenForMs
  /** Starts that were sent since the last time that nothing was live, and not refused; and stops of them that were taken. */
  #begun = 0
  #stopped = 0
  #isUncertain = false
  /** Statuses with which this vendor says that nothing is live. Only a 404 says it by itself; after another the livestreams themselves must tell. */
  readonly #saysNothing = new Set([404])

  constructor({ asker, vendor, meetingId, surroundings }: RunsOptions) {
    this.#asker = asker
    this.#refusals = vendor.refusals
    this.#surroundings = surroundings
    this.#meetingId = meetingId
    this.#path = path`/meetings/${meetingId}`
  }

  /** Notes that looks are answered with this status when nothing is live. */
  saysNothing(status: number): void {
    this.#saysNothing.add(status)
  }

  /** Sends a start. Where a livestream `isRunning`, a 200 with its id has begun nothing. @throws Ended, Failure */
  async start(body: object = {}, isRunning = false): Promise<StartHeard> {
    this.#begun++
    const wasUncertain = this.#isUncertain
    // The start may have happened, until an answer has come.
    this.#isUncertain = true
    const heard = await this.#asker.ask({ method: 'POST', path: `${this.#path}/livestreams`, body }).catch(error => {
      if (error instanceof Ended || (error instanceof Failure && error.outcome === 'not_sent'))
        this.#takeBack(wasUncertain)
      throw error
    })
    const { status, body: answer } = heard
    if (isRefusal(heard)) {
      this.#takeBack(wasUncertain)
      return { status, id: null, heard }
    }
    const id = at(answer, 'data', 'id')
    if (status >= 300 || typeof id !== 'string' || !isVendorId(id))
      throw new Ended(`a start was answered with ${status}, which says neither yes nor no`)
    this.#isUncertain = wasUncertain
    if (isRunning && status === 200 && this.ids.has(id)) this.#takeBack(wasUncertain)
    this.ids.add(id)
    return { status, id, heard }
  }

  /** Asks what the vendor shows as active. @throws Ended, Failure */
  async active(ask = this.#ask): Promise<Shown> {
    const heard = await this.look(ask)
    const { status, body } = heard
    const state = at(body, 'data', 'status')
    if (status === 200) return { status, state: typeof state === 'string' && !isOver(state) ? state : null }
    if (this.#saysNothing.has(status) && this.#refusals.complaintIn(body) === null && !heard.throttled)
      return { status, state: null }
    throw new Ended(`the question what is live was answered with ${status}`)
  }

  /** The same look, as it was answered. @throws Ended, Failure */
  async look(ask = this.#ask): Promise<Heard> {
    return ask({ method: 'GET', path: `${this.#path}/active-livestream` })
  }

  /** One stop. @throws Ended, Failure */
  async stop(ask = this.#ask): Promise<Heard> {
    const heard = await ask({ method: 'POST', path: `${this.#path}/active-livestream/stop` })
    if (heard.status < 300 && this.#begun > 0) this.#stopped++
    return heard
  }

  /** Livestreams of ours that have not been stopped as often as they were started. */
  get toBeStopped(): number {
    return this.#begun - this.#stopped
  }

  /** Asks whether one of these livestreams runs, INVOKED or LIVE. @throws Ended, Failure */
  async isRunning(ids: Iterable<string>, ask = this.#ask): Promise<boolean> {
    for (const id of ids) {
      const { body } = await ask({ method: 'GET', path: path`/livestreams/${id}` })
      const state = at(body, 'data', 'livestream', 'status') ?? at(body, 'data', 'status')
      if (typeof state === 'string' && isRunning(state)) return true
    }
    return false
  }

  /** Asks whether the vendor's list has a livestream of this meeting that runs; null when it can't be read. @throws Ended, Failure */
  async isListed(ask = this.#ask): Promise<boolean | null> {
    const { status, body } = await ask({ method: 'GET', path: `${path`/livestreams`}?page_no=1&per_page=100` })
    const items = [at(body, 'data', 'livestreams') ?? at(body, 'data') ?? []].flat()
    if (status !== 200) return null
    return items.some(one => {
      const state = at(one, 'status')
      return at(one, 'meeting_id') === this.#meetingId && typeof state === 'string' && isRunning(state)
    })
  }

  /** Stops again and again until nothing is live; does nothing when nothing can be. @throws StillLive */
  async stopAll(): Promise<void> {
    const { clock, sleep } = this.#surroundings
    const untilMs = clock.monotonic() + stopWithinMs
    let heard = 0
    let quietSinceMs: number | null = null
    while (this.#begun > 0) {
      const stopped = await orNull(this.stop(this.#askAnyway))
      if (stopped !== null && isHeard(stopped)) heard++
      const isLive = await orNull(this.#isLive())
      quietSinceMs = isLive === false ? (quietSinceMs ?? clock.monotonic()) : null
      const quietMs = quietSinceMs === null ? Number.NEGATIVE_INFINITY : clock.monotonic() - quietSinceMs
      // Each start may have made a livestream of its own, and a run that is only INVOKED may not be shown.
      const isStopped = this.toBeStopped <= 0 && quietMs >= (this.#isUncertain ? quietForMs : 0)
      // A stop that was refused had perhaps nothing to stop, and perhaps came too early.
      if (isStopped || (heard >= this.#begun && quietMs >= this.hiddenForMs + quietForMs)) {
        this.#begun = 0
        this.#stopped = 0
        this.#isUncertain = false
        return
      }
      if (clock.monotonic() > untilMs)
        throw new StillLive('a livestream that was started may still be live: stop it by hand')
      await sleep(stopped?.throttled ? stopped.retryAfterSeconds * 1_000 : 1_000)
    }
  }

  readonly #ask = (question: InspectorCall): Promise<Heard> => this.#asker.ask(question)
  readonly #askAnyway = (question: InspectorCall): Promise<Heard> => this.#asker.askAnyway(question)

  /** Judges by the active livestream, which may leave out an INVOKED one, and by the livestreams themselves. Null: unknown. */
  async #isLive(): Promise<boolean | null> {
    const ask = this.#askAnyway
    const { status, state } = await this.active(ask)
    if (state !== null || (await this.isRunning(this.ids, ask))) return true
    return status === 200 || status === 404 ? false : this.isListed(ask)
  }

  #takeBack(wasUncertain: boolean): void {
    this.#begun--
    this.#isUncertain = wasUncertain
  }
}

/** The vendor has understood, and does not do it. */
function isRefusal({ status, throttled }: Heard): boolean {
  return throttled || (status >= 400 && status < 500 && status !== 408)
}

/** A stop was carried out, or had nothing to stop. */
export function isHeard({ status, throttled }: Heard): boolean {
  return !throttled && status < 500 && ![401, 403, 408].includes(status)
}

/** Null when it can't be known. */
async function orNull<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer
  } catch (error) {
    if (!(error instanceof Failure || error instanceof Ended)) throw error
    return null
  }
}
