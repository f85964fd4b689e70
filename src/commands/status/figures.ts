import { type Shown, sumOf } from '../../metrics/text.ts'

/** Metrics of a gateway at a moment. */
export interface Reading {
  series: Shown
  atMs: number
}

/** The work of a gateway between two readings, and its state at the second. Rates are a second. */
export interface Figures {
  calls: number
  refused: number
  failed: number
  /** Share of the reads that were answered within 250 ms; null when there were none. */
  readsInTime: number | null
  starts: number
  stops: number
  vendorCalls: number
  heldBack: number
  /** Since the start of the process: starts that came to nothing, and stops that were late or not known, each of so many. */
  badStarts: { bad: number; all: number }
  badStops: { bad: number; all: number }
  auditWaiting: number
  storeWaiting: number
  streams: number
  connections: number
  cpu: number
  memoryBytes: number
  upSeconds: number
}

/** Operations that read: those of the objective in docs/observability. */
const isRead = /operation="(get|list)/
const inTime = /^le="0\.25",operation="(get|list)/

/** @param before the same gateway a moment ago; one that was started since has begun its counts anew */
export function figuresOf(before: Reading, after: Reading): Figures {
  const seconds = Math.max(0.001, (after.atMs - before.atMs) / 1_000)
  const now = (metric: string, labels?: RegExp): number => sumOf(after.series, metric, labels)
  const grown = (metric: string, labels?: RegExp): number => {
    const [earlier, later] = [sumOf(before.series, metric, labels), now(metric, labels)]
    return later >= earlier ? later - earlier : later
  }
  const rate = (metric: string, labels?: RegExp): number => grown(metric, labels) / seconds
  const reads = grown('livegate_request_duration_seconds_count', isRead)
  const allStarts = now('livegate_starts_total', /^(?!result="refused")/)
  const allStops = now('livegate_stops_total', /^(?!result="refused")/)
  return {
    calls: rate('livegate_requests_total'),
    refused: rate('livegate_requests_total', /status="4xx"/),
    failed: rate('livegate_requests_total', /status="5xx"/),
    readsInTime: reads === 0 ? null : grown('livegate_request_duration_seconds_bucket', inTime) / reads,
    starts: rate('livegate_starts_total'),
    stops: rate('livegate_stops_total'),
    vendorCalls: rate('livegate_upstream_calls_total'),
    heldBack: rate('livegate_upstream_held_back_total'),
    badStarts: { bad: allStarts - now('livegate_starts_total', /"(started|joined|already_live)"/), all: allStarts },
    badStops: {
      bad: allStops - now('livegate_stop_duration_seconds_bucket', /^le="5",result="(stopped|nothing_live)"/),
      all: allStops
    },
    auditWaiting: now('livegate_audit_events_waiting') + now('livegate_audit_records_waiting'),
    storeWaiting: now('livegate_store_writes_waiting'),
    streams: now('livegate_event_streams'),
    connections: now('livegate_connections'),
    cpu: rate('process_cpu_seconds_total'),
    memoryBytes: now('process_resident_memory_bytes'),
    upSeconds: after.atMs / 1_000 - now('process_start_time_seconds')
  }
}
