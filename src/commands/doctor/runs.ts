import { Failure } from '../../domain/failures.ts'
import { isVendorId } from '../../domain/id.ts'
import { isOver, isRunning } from '../../domain/livestream.ts'
import { edgeComplaint } from '../../upstream/edge-errors.ts'
import { at } from '../../upstream/examine.ts'
import { path } from '../../upstream/path.ts'
import type { Heard, RawQuestion } from '../../upstream/probe.ts'
import { type Asker, Ended } from './asker.ts'
import type { World } from './world.ts'

/** What was started may still be live: for a person to look after. */
export class StillLive extends Error {}

const stopWithinMs = 60_000
/** A start whose answer was lost may be carried out late: so long nothing must have been live. */
const quietForMs = 5_000

/** What a meeting shows as active. */
export interface Shown {
  status: number
  /** Null when nothing is. */
  state: string | null
}

/** The livestreams that questions start in a meeting: none of them outlives the questions. */
export class Runs {
  /** All that were started. */
  readonly ids = new Set<string>()
  readonly #asker: Asker
  readonly #world: World
  readonly #path: string
  /** Sent since the last time that nothing was live, and not refused. */
  #begun = 0
  #isUncertain = false

  constructor(asker: Asker, meetingId: string, world: World) {
    this.#asker = asker
    this.#world = world
    this.#path = path`/meetings/${meetingId}`
  }

  /** Answers what the vendor answered: 2xx with the livestream's id, or a refusal. @throws Ended, Failure */
  async start(): Promise<{ status: number; id: string | null }> {
    this.#begun++
    const wasUncertain = this.#isUncertain
    // Until an answer has come it may have happened.
    this.#isUncertain = true
    const heard = await this.#asker
      .ask({ method: 'POST', path: `${this.#path}/livestreams`, body: {} })
      .catch(error => {
        if (error instanceof Ended || (error instanceof Failure && error.outcome === 'not_sent'))
          this.#takeBack(wasUncertain)
        throw error
      })
    const { status, body } = heard
    if (isRefusal(heard)) {
      this.#takeBack(wasUncertain)
      return { status, id: null }
    }
    const id = at(body, 'data', 'id')
    if (status >= 300 || typeof id !== 'string' || !isVendorId(id))
      throw new Ended(`a start was answered with ${status}, which says neither yes nor no`)
    this.#isUncertain = wasUncertain
    this.ids.add(id)
    return { status, id }
  }

  /** What the vendor shows as active. @throws Ended, Failure */
  async active(ask: (question: RawQuestion) => Promise<Heard> = question => this.#asker.ask(question)): Promise<Shown> {
    const { status, body } = await ask({ method: 'GET', path: `${this.#path}/active-livestream` })
    const state = at(body, 'data', 'status')
    if (status === 200) return { status, state: typeof state === 'string' && !isOver(state) ? state : null }
    if (status === 404 && edgeComplaint(body) === null) return { status, state: null }
    throw new Ended(`the question what is live was answered with ${status}`)
  }

  /** One stop, for when nothing is live. @throws Ended, Failure */
  async stop(): Promise<Heard> {
    return this.#asker.ask(this.#stopping)
  }

  /** Stops again and again until nothing is live; does nothing when nothing can be. @throws StillLive */
  async stopAll(): Promise<void> {
    const { clock, sleep } = this.#world
    const untilMs = clock.monotonic() + stopWithinMs
    let stops = 0
    let quietSinceMs: number | null = null
    while (this.#begun > 0) {
      const stopped = await orNull(this.#asker.askAnyway(this.#stopping))
      // Each start may have made a livestream of its own, and a run that is only INVOKED may not be shown.
      if (stopped !== null && isHeard(stopped)) stops++
      const isLive = await orNull(this.#isLive())
      quietSinceMs = isLive === false ? (quietSinceMs ?? clock.monotonic()) : null
      const quietMs = quietSinceMs === null ? Number.NEGATIVE_INFINITY : clock.monotonic() - quietSinceMs
      if (stops >= this.#begun && quietMs >= (this.#isUncertain ? quietForMs : 0)) {
        this.#begun = 0
        this.#isUncertain = false
        return
      }
      if (clock.monotonic() > untilMs)
        throw new StillLive('a livestream that was started may still be live: stop it by hand')
      await sleep(stopped?.throttled ? stopped.retryAfterSeconds * 1_000 : 1_000)
    }
  }

  get #stopping(): RawQuestion {
    return { method: 'POST', path: `${this.#path}/active-livestream/stop` }
  }

  /** By what is shown as active and, since that may leave out what is only INVOKED, by the livestreams themselves. */
  async #isLive(): Promise<boolean> {
    const ask = (question: RawQuestion): Promise<Heard> => this.#asker.askAnyway(question)
    if ((await this.active(ask)).state !== null) return true
    for (const id of this.ids) {
      const { body } = await ask({ method: 'GET', path: path`/livestreams/${id}` })
      const state = at(body, 'data', 'livestream', 'status') ?? at(body, 'data', 'status')
      if (typeof state === 'string' && isRunning(state)) return true
    }
    return false
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
