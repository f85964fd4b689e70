import { LRUCache } from 'lru-cache'

/** So many meetings are remembered; beyond them a stop is not spaced, and the tenants' other limits remain. */
const maxFruitless = 10_000

/**
 * What is under way for each meeting in this process: at most one start and one stop. A second start joins the first, a stop
 * waits for an open start, a start for an open stop; so the vendor never sees them cross.
 */
export class Motion<Started, Stopped> {
  readonly #starts = new Map<string, Promise<Started>>()
  readonly #stops = new Map<string, Promise<Stopped>>()
  /** When the last stop of a meeting found nothing live, on the monotonic clock. A start forgets it: there may be a run again. */
  readonly fruitlessAtMs = new LRUCache<string, number>({ max: maxFruitless })

  /** Joins the start that is under way, or leads a new one; `led` says which. */
  async start(meetingId: string, lead: () => Promise<Started>): Promise<{ result: Started; led: boolean }> {
    this.fruitlessAtMs.delete(meetingId)
    const open = this.#starts.get(meetingId)
    if (open !== undefined) return { result: await open, led: false }
    const attempt = quietly(this.#stops.get(meetingId)).then(lead)
    return { result: await this.#keep(this.#starts, meetingId, attempt), led: true }
  }

  /** Joins the stop that is under way, or leads a new one. */
  async stop(meetingId: string, lead: () => Promise<Stopped>): Promise<Stopped> {
    const open = this.#stops.get(meetingId)
    if (open !== undefined) return open
    const attempt = quietly(this.#starts.get(meetingId)).then(lead)
    return this.#keep(this.#stops, meetingId, attempt)
  }

  async #keep<T>(open: Map<string, Promise<T>>, meetingId: string, attempt: Promise<T>): Promise<T> {
    open.set(meetingId, attempt)
    try {
      return await attempt
    } finally {
      open.delete(meetingId)
    }
  }
}

/** Waits for the other one to end, however it ends. */
async function quietly(other: Promise<unknown> | undefined): Promise<void> {
  await other?.catch(() => {})
}
