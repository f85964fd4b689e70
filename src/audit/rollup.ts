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
  /** What came after the first: the worst of them, and how many. Null when nothing came. */
  rest: AuditEvent | null
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
      window.rest = window.rest === null ? { ...event, count: 1, start_time: event.time } : together(window.rest, event)
      window.rest.end_time = event.time
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
    append(rest.count === 1 ? single(rest) : { ...rest, time: rest.end_time ?? rest.time })
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

/** The worse of the two stands for both; of equals, the later. */
function together(before: AuditEvent, event: AuditEvent): AuditEvent {
  const worst = before.status_id > event.status_id ? before : event
  const sameResource = JSON.stringify(before.resources) === JSON.stringify(event.resources)
  return {
    ...worst,
    resources: sameResource ? event.resources : [],
    ...(before.src_endpoint.ip !== event.src_endpoint.ip && { src_endpoint: { name: 'several' as const } }),
    count: (before.count ?? 1) + 1,
    start_time: before.start_time ?? before.time
  }
}

/** A single one needs no count. */
function single({ count: _count, start_time: _start, end_time: _end, ...event }: AuditEvent): AuditEvent {
  return event
}

function keyOf({ unmapped, api, resources, src_endpoint }: AuditEvent): string {
  const { tenant_id, key_id } = unmapped
  return JSON.stringify([tenant_id, key_id, api.operation, src_endpoint.ip, resources.map(({ uid }) => uid)])
}

function crowdOf({ unmapped, api }: AuditEvent): string {
  return JSON.stringify([unmapped.tenant_id, unmapped.key_id, api.operation])
}
