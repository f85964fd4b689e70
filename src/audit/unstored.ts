import type { AuditEvent } from '../domain/audit/audit-event.ts'
import { Loop } from '../domain/values/clock.ts'

/** A line of the log, and whether it is written. */
interface Line {
  readonly state: 'waiting' | 'written' | 'lost'
}

export interface UnstoredDeps {
  log: { error(facts: object, message: string): void }
  /** The log's destination; null where it does not tell what becomes of its lines: then they count as written. */
  output: { readonly last: Line | null; troubled(): boolean } | null
  maxWaiting?: number
  offerEveryMs?: number
}

/**
 * Audit events that the store does not have yet: the log tells of each at once, so that it outlives this process and its disk. A line
 * that the log has lost is offered to it again, until one of the two has the event.
 */
export class UnstoredEvents {
  readonly #deps: Required<UnstoredDeps>
  /** Events that are in neither of the two yet, each with its line of the log; null when the log made none. */
  readonly #waiting = new Map<AuditEvent, Line | null>()
  readonly #loop = new Loop({ round: () => this.offer() })
  #beyond = 0

  constructor(deps: UnstoredDeps) {
    this.#deps = { maxWaiting: 10_000, offerEveryMs: 1_000, ...deps }
  }

  /** The number of events that would be lost with this process: the store has none of them, and the log can't be written. */
  get atRisk(): number {
    if (!this.#deps.output?.troubled()) return 0
    return this.#beyond + [...this.#waiting.values()].filter(line => line?.state !== 'written').length
  }

  /** Tells the log of an event that is not in the store. */
  tell(event: AuditEvent, message: string, err?: unknown): void {
    const line = this.#log({ event: 'audit_event_unstored', err, audit_event: event }, message)
    if (line?.state === 'written') return
    if (this.#waiting.size < this.#deps.maxWaiting || this.#waiting.has(event)) this.#waiting.set(event, line)
    else this.#beyond++
    this.#loop.wake(this.#deps.offerEveryMs)
  }

  /** Forgets an event that the store has by now. */
  stored(event: AuditEvent): void {
    this.#waiting.delete(event)
  }

  /** Offers what waits a last time. */
  close(): void {
    void this.#loop.close()
    this.offer()
  }

  /** Offers what waits to the log again, as it does by itself. */
  offer(): void {
    this.#offerAll()
    if (this.#waiting.size > 0 || this.#beyond > 0) this.#loop.wake(this.#deps.offerEveryMs)
  }

  #offerAll(): void {
    for (const [event, line] of this.#waiting) {
      const now = line?.state === 'waiting' ? line : this.#again(event, line)
      if (now?.state === 'written') this.#waiting.delete(event)
      else if (now?.state !== 'waiting') return // there is no room, or no such level: nor is there for those behind it
    }
    if (this.#beyond === 0) return
    const line = this.#log(
      { event: 'audit_events_beyond', events: this.#beyond },
      'audit events are in neither the store nor the log: there were too many'
    )
    if (line !== null && line.state !== 'lost') this.#beyond = 0
  }

  #again(event: AuditEvent, line: Line | null): Line | null {
    if (line?.state === 'written') return line
    const next = this.#log(
      { event: 'audit_event_unstored', audit_event: event },
      'an audit event is still not in the store'
    )
    this.#waiting.set(event, next)
    return next
  }

  /** The line that the log has made of it; null when it makes none of this level. */
  #log(facts: object, message: string): Line | null {
    const { log, output } = this.#deps
    const before = output?.last
    log.error(facts, message)
    if (output === null) return { state: 'written' }
    return output.last === before ? null : output.last
  }
}
