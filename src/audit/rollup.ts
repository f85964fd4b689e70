import type { AuditEvent } from '../domain/audit/audit-event.ts'
import { type Clock, Loop } from '../domain/values/clock.ts'
import { type Ending, isRead, type Subject, statusIdOf, toAuditEvent } from './ocsf.ts'

/** Ways to keep reads on record: a first one and then a count a minute, each, or none. */
export const auditReads = ['rollup', 'all', 'none'] as const
export type AuditReads = (typeof auditReads)[number]

export interface ReadRollupOptions {
  reads: AuditReads
  append(event: AuditEvent): void
  clock: Pick<Clock, 'monotonic'>
  windowMs?: number
  maxWindows?: number
}

interface Window {
  key: string
  endsAtMs: number
  /** Reads after the first; null when there were none. */
  rest: Rest | null
}

/** A call that is over. An event of it is made when it is written, since most reads are only counted. */
export interface Occurrence {
  subject: Subject
  ending: Ending
  timeMs: number
}

/** Several reads that become one event. */
interface Rest {
  /** The worst stands for all; of equals, the last. */
  worst: Occurrence
  /** False when reads of several are counted together. */
  isOneResource: boolean
  isOneAddress: boolean
  count: number
  startTimeMs: number
  endTimeMs: number
}

/**
 * Browsers poll, and a row for each read would fill any disk: the first read of a resource by a key is written at once, those of
 * the next minute become one event with their count, first, last and worst outcome, and so on until a minute passes without any.
 * Mutations, refusals, and reads that show a stream key pass as they are.
 */
export class ReadRollup {
  readonly #options: Required<ReadRollupOptions>
  /** In the order in which they end, since each lasts equally long. */
  readonly #windows = new Map<string, Window>()
  readonly #loop = new Loop({
    round: () => {
      this.tick()
      this.#schedule()
    }
  })

  constructor(options: ReadRollupOptions) {
    this.#options = { windowMs: 60_000, maxWindows: 5_000, ...options }
  }

  append(call: Occurrence): void {
    const { reads, append, clock } = this.#options
    if (reads === 'all' || !isPlainRead(call)) {
      append(eventOf(call))
      return
    }
    if (reads === 'none') return
    this.tick()
    const window = this.#windowOf(call.subject)
    if (window === null) {
      append(eventOf(call))
      this.#open(keyOf(call.subject), clock.monotonic())
    } else {
      window.rest = window.rest === null ? restOf(call) : together(window.rest, call)
    }
  }

  /** Writes the counts of minutes that are over. */
  tick(): void {
    const nowMs = this.#options.clock.monotonic()
    for (const window of this.#windows.values()) {
      if (window.endsAtMs > nowMs) break
      this.#end(window)
      // A reader that goes on is counted on. After a silent minute a read is a first one again.
      if (window.rest !== null) this.#open(window.key, nowMs)
    }
  }

  /** Writes every count, also of minutes that are not over. */
  close(): void {
    for (const window of this.#windows.values()) this.#end(window)
    void this.#loop.close()
  }

  #windowOf(subject: Subject): Window | null {
    const found = this.#windows.get(keyOf(subject)) ?? this.#windows.get(crowdOf(subject))
    if (found !== undefined) return found
    if (this.#windows.size < this.#options.maxWindows) return null
    // No room for another resource: what this key reads is counted together from here on.
    return this.#open(crowdOf(subject), this.#options.clock.monotonic())
  }

  #open(key: string, nowMs: number): Window {
    const window: Window = { key, endsAtMs: nowMs + this.#options.windowMs, rest: null }
    this.#windows.set(key, window)
    this.#schedule()
    return window
  }

  #end({ key, rest }: Window): void {
    this.#windows.delete(key)
    if (rest === null) return
    const { append } = this.#options
    append(rest.count === 1 ? eventOf(rest.worst) : countOf(rest))
  }

  /** Waits for the window that ends first, and thereby for all. */
  #schedule(): void {
    const [first] = this.#windows.values()
    if (first === undefined) return
    const afterMs = Math.max(1, first.endsAtMs - this.#options.clock.monotonic())
    this.#loop.wake(afterMs)
  }
}

function eventOf({ subject, ending, timeMs }: Occurrence): AuditEvent {
  return toAuditEvent(subject, ending, timeMs)
}

function isPlainRead({ subject, ending: { outcome, streamKeyRevealed } }: Occurrence): boolean {
  return isRead(subject) && (outcome === 'done' || outcome === 'failed') && streamKeyRevealed !== true
}

function restOf(call: Occurrence): Rest {
  const { timeMs } = call
  return { worst: call, isOneResource: true, isOneAddress: true, count: 1, startTimeMs: timeMs, endTimeMs: timeMs }
}

function together(rest: Rest, call: Occurrence): Rest {
  const { worst } = rest
  if (statusIdOf(worst.ending) <= statusIdOf(call.ending)) rest.worst = call
  rest.isOneResource &&= uidsOf(worst.subject) === uidsOf(call.subject)
  rest.isOneAddress &&= worst.subject.address === call.subject.address
  rest.count += 1
  // The clock may have been set back between two of them.
  rest.startTimeMs = Math.min(rest.startTimeMs, call.timeMs)
  rest.endTimeMs = Math.max(rest.endTimeMs, call.timeMs)
  return rest
}

function countOf({ worst, isOneResource, isOneAddress, count, startTimeMs, endTimeMs }: Rest): AuditEvent {
  return {
    ...eventOf({ ...worst, timeMs: endTimeMs }),
    ...(!isOneResource && { resources: [] }),
    ...(!isOneAddress && { src_endpoint: { name: 'several' as const } }),
    count,
    start_time: startTimeMs,
    end_time: endTimeMs
  }
}

/** No id has a space. */
function uidsOf({ resources }: Subject): string {
  const [first, second] = resources
  return second === undefined ? (first?.uid ?? '') : resources.map(({ uid }) => uid).join(' ')
}

function keyOf(subject: Subject): string {
  return `${crowdOf(subject)} ${subject.address} ${uidsOf(subject)}`
}

function crowdOf({ tenantId, keyId, action }: Subject): string {
  return `${tenantId} ${keyId} ${action}`
}
