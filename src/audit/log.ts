import type { AuditEvent } from '../domain/audit/audit-event.ts'
import { Loop } from '../domain/values/clock.ts'

export interface AuditLogOptions {
  /** Writes events durably, in order, all or none. */
  write(events: AuditEvent[]): Promise<unknown>
  /** Called when waiting events could not be written, or not in time; they stay and are tried again. */
  onTrouble(error: unknown, waiting: number): void
  flushAfterMs?: number
  maxWaiting?: number
  /** A write that takes longer is trouble, even if nobody says so. */
  slowAfterMs?: number
}

/** Largest number of events in a transaction, so that a long queue doesn't hold the store. */
const groupSize = 500
const retryAfterMs = 1_000
/** Limit for one caller, operation and reason, in a second. */
const maxEqualRefusals = 10

/**
 * Appends events behind the answer, in groups, each group one transaction: for reads and refusals, and for the stop that
 * went on while the store was down. What must be durable before it happens does not come here (`lifecycle/operations/audit-trail.ts`).
 * Bounded: beyond `maxWaiting`, equal events become one with a count, so nobody waits and nothing vanishes.
 */
export class AuditLog {
  readonly #options: Required<AuditLogOptions>
  #waiting: AuditEvent[] = []
  readonly #counted = new Map<string, AuditEvent>()
  readonly #loop = new Loop({ round: () => this.#writeBehind() })
  #flushing: Promise<void> | null = null
  #closed = false
  #countedAtMs = Number.NEGATIVE_INFINITY
  #refused = { second: 0, counts: new Map<string, number>(), before: new Map<string, number>() }

  constructor(options: AuditLogOptions) {
    this.#options = { flushAfterMs: 50, maxWaiting: 10_000, slowAfterMs: 1_000, ...options }
  }

  append(event: AuditEvent): void {
    if (this.#waiting.length >= this.#options.maxWaiting || this.#isFlood(event)) this.#count(event)
    else this.#waiting.push(event)
    // After the end the store is closed: the log has to say what the store will not.
    if (this.#closed) this.#options.onTrouble(new Error('the audit log is closed'), this.waiting)
    else this.#loop.wake(this.#options.flushAfterMs)
  }

  /** Writes all that waits. Rejects when the store can't; nothing is lost by that. */
  async flush(): Promise<void> {
    await this.#flush(() => this.#writeAll())
  }

  async #flush(work: () => Promise<void>): Promise<void> {
    while (this.#flushing !== null) await this.#flushing
    this.#flushing = work().finally(() => {
      this.#flushing = null
    })
    await this.#flushing
  }

  /** Writes all that waits, and no more by itself. `onTrouble` is told a last time how many could not be written. */
  async close(): Promise<void> {
    this.#closed = true
    void this.#loop.close()
    try {
      await this.flush()
    } catch (error) {
      this.#options.onTrouble(error, this.waiting)
    }
  }

  async #writeAll(): Promise<void> {
    for (;;) {
      if (this.#waiting.length === 0) this.#takeCounted()
      if (this.#waiting.length === 0) return
      await this.#writeGroup()
    }
  }

  /** Nobody waits: what comes meanwhile is gathered for the next time, unless it is enough for a group by itself. */
  async #writeSome(): Promise<void> {
    do await this.#writeGroup()
    while (this.#waiting.length >= groupSize)
    // Counts grow for a second before they are written: that is what makes them few.
    if (performance.now() - this.#countedAtMs >= 1_000) this.#takeCounted()
  }

  #takeCounted(): void {
    this.#waiting.push(...this.#counted.values())
    this.#counted.clear()
    this.#countedAtMs = performance.now()
  }

  async #writeGroup(): Promise<void> {
    const group = this.#waiting.slice(0, groupSize)
    if (group.length > 0) await this.#write(group)
    this.#waiting.splice(0, group.length)
  }

  /** A disk that hangs gives no error, and neither does the thread that waits for it. */
  async #write(group: AuditEvent[]): Promise<void> {
    const { write, onTrouble, slowAfterMs } = this.#options
    const slow = (): void => onTrouble(new Error('the store is slow'), this.waiting)
    const timer = setInterval(slow, slowAfterMs)
    await write(group).finally(() => clearInterval(timer))
  }

  /** Tells of trouble each time, since the number of those that wait grows. */
  async #writeBehind(): Promise<void> {
    try {
      await this.#flush(() => this.#writeSome())
      if (this.#waiting.length > 0 || this.#counted.size > 0) this.#loop.wake(this.#options.flushAfterMs)
    } catch (error) {
      this.#options.onTrouble(error, this.waiting)
      this.#loop.wake(retryAfterMs)
    }
  }

  /** How many events wait, those behind a count included. */
  get waiting(): number {
    return [...this.#waiting, ...this.#counted.values()].reduce((sum, { count }) => sum + (count ?? 1), 0)
  }

  /**
   * More equal refusals in a second than somebody could mean; so that nobody can fill the disk by being refused. A caller that goes on
   * like that is counted from the first one on.
   */
  #isFlood(event: AuditEvent): boolean {
    // A replay executes nothing either.
    if (event.unmapped.outcome !== 'refused' && event.status_detail !== 'replayed') return false
    const second = Math.floor(event.time / 1_000)
    if (second !== this.#refused.second) {
      const before = second === this.#refused.second + 1 ? this.#refused.counts : new Map()
      this.#refused = { second, counts: new Map(), before }
    }
    const { counts, before } = this.#refused
    const key = keyOf(event)
    const count = (counts.get(key) ?? 0) + 1
    if (counts.size < groupSize || count > 1) counts.set(key, count)
    return count > maxEqualRefusals || (before.get(key) ?? 0) > maxEqualRefusals || !counts.has(key)
  }

  #count(event: AuditEvent): void {
    const { tenant_id, outcome } = event.unmapped
    const key = keyOf(event)
    // The addresses of a broad attack would fill this map too: then the address is what the count leaves out.
    const room = this.#counted.size < groupSize || this.#counted.has(key)
    const group = room ? key : JSON.stringify([tenant_id, outcome])
    const before = this.#counted.get(group)
    const counted: AuditEvent = {
      ...event,
      count: (before?.count ?? 0) + (event.count ?? 1),
      // The clock may have been set back between two of them.
      start_time: Math.min(before?.start_time ?? event.time, event.start_time ?? event.time),
      end_time: Math.max(before?.end_time ?? 0, event.end_time ?? event.time)
    }
    this.#counted.set(group, room ? counted : { ...counted, src_endpoint: { name: 'several' }, resources: [] })
  }
}

/** Key of events that differ in time and request alone. All calls without a valid key have one, whatever they asked for. */
function keyOf({ unmapped, api, status_code, src_endpoint }: AuditEvent): string {
  const { tenant_id, outcome } = unmapped
  return JSON.stringify([tenant_id, tenant_id === null ? null : api.operation, outcome, status_code, src_endpoint.ip])
}
