import type { AuditEvent } from '../domain/audit-event.ts'
import type { Clock } from '../domain/clock.ts'

/** Which reads are on record: a first one and then a count a minute, each, or none. */
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
  /** What came after the first; null when nothing did. */
  rest: Rest | null
}

/** Several reads that become one event. */
interface Rest {
  /** The worst stands for all; of equals, the last. */
  worst: AuditEvent
  /** Those of a crowd may differ. */
  isOneResource: boolean
  isOneAddress: boolean
  count: number
  startTime: number
  endTime: number
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
  #timer: NodeJS.Timeout | undefined

  constructor(options: ReadRollupOptions) {
    this.#options = { windowMs: 60_000, maxWindows: 5_000, ...options }
  }

  append(event: AuditEvent): void {
    const { reads, append, clock } = this.#options
    if (reads === 'all' || !isPlainRead(event)) {
      append(event)
      return
    }
    if (reads === 'none') return
    this.tick()
    const window = this.#windowOf(event)
    if (window === null) {
      append(event)
      this.#open(keyOf(event), clock.monotonic())
    } else {
      window.rest = window.rest === null ? restOf(event) : together(window.rest, event)
    }
  }

  /** Writes the counts of minutes that are over. */
  tick(): void {
    const nowMs = this.#options.clock.monotonic()
    for (const window of this.#windows.values()) {
      if (window.endsAtMs > nowMs) break
      this.#end(window)
      // Who goes on reading is counted on; after a silent minute a read is a first one again.
      if (window.rest !== null) this.#open(window.key, nowMs)
    }
  }

  /** Writes every count, also of minutes that are not over. */
  close(): void {
    for (const window of this.#windows.values()) this.#end(window)
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #windowOf(event: AuditEvent): Window | null {
    const found = this.#windows.get(keyOf(event)) ?? this.#windows.get(crowdOf(event))
    if (found !== undefined) return found
    if (this.#windows.size < this.#options.maxWindows) return null
    // No room for another resource: what this key reads is counted together from here on.
    return this.#open(crowdOf(event), this.#options.clock.monotonic())
  }

  #open(key: string, nowMs: number): Window {
    const window: Window = { key, endsAtMs: nowMs + this.#options.windowMs, rest: null }
    this.#windows.set(key, window)
    if (this.#timer === undefined) this.#schedule()
    return window
  }

  #end({ key, rest }: Window): void {
    this.#windows.delete(key)
    if (rest === null) return
    const { append } = this.#options
    append(rest.count === 1 ? rest.worst : eventOf(rest))
  }

  /** One timer, for the window that ends first. */
  #schedule(): void {
    const [first] = this.#windows.values()
    if (first === undefined) return
    const afterMs = Math.max(1, first.endsAtMs - this.#options.clock.monotonic())
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.tick()
      if (this.#timer === undefined) this.#schedule()
    }, afterMs)
    this.#timer.unref()
  }
}

function isPlainRead({ activity_id, unmapped }: AuditEvent): boolean {
  const answered = unmapped.outcome === 'done' || unmapped.outcome === 'failed'
  return activity_id === 2 && answered && unmapped.stream_key_revealed !== true
}

function restOf(event: AuditEvent): Rest {
  const { time } = event
  return { worst: event, isOneResource: true, isOneAddress: true, count: 1, startTime: time, endTime: time }
}

function together(rest: Rest, event: AuditEvent): Rest {
  const { worst } = rest
  if (worst.status_id <= event.status_id) rest.worst = event
  rest.isOneResource &&= uidsOf(worst) === uidsOf(event)
  rest.isOneAddress &&= worst.src_endpoint.ip === event.src_endpoint.ip
  rest.count += 1
  rest.endTime = event.time
  return rest
}

function eventOf({ worst, isOneResource, isOneAddress, count, startTime, endTime }: Rest): AuditEvent {
  return {
    ...worst,
    time: endTime,
    ...(!isOneResource && { resources: [] }),
    ...(!isOneAddress && { src_endpoint: { name: 'several' as const } }),
    count,
    start_time: startTime,
    end_time: endTime
  }
}

/** No id has a space. */
function uidsOf({ resources }: AuditEvent): string {
  return resources.map(({ uid }) => uid).join(' ')
}

function keyOf(event: AuditEvent): string {
  return `${crowdOf(event)} ${event.src_endpoint.ip} ${uidsOf(event)}`
}

function crowdOf({ unmapped, api }: AuditEvent): string {
  return `${unmapped.tenant_id} ${unmapped.key_id} ${api.operation}`
}
