import { setTimeout as sleep } from 'node:timers/promises'
import { type Io, type JsonOption, print, UsageError } from '../process/io.ts'
import { type Figures, figuresOf, type Reading } from './figures.ts'
import { look, type Picture, readMetrics } from './look.ts'
import { counted, screenOf } from './screen.ts'

/** Rates need two readings. */
const betweenReadingsMs = 500

/** Shows what goes on. Where no metrics are shown, it says what is not known. */
export async function status(io: Io, options: JsonOption): Promise<void> {
  const { reading } = await readMetrics(io)
  if (reading !== null) await sleep(betweenReadingsMs)
  const picture = await look(io)
  const figures = figuresBetween(reading, picture)
  print(io, options, shownOf(picture, figures), screenOf(picture, figures))
}

export interface TopOptions extends JsonOption {
  interval: string
  times?: string
}

/** The same again and again: on a terminal in one place, elsewhere one after the other. With `--json` each is a line. */
export async function top(io: Io, options: TopOptions): Promise<void> {
  const intervalMs = 1_000 * numberOf(options.interval, '--interval', 0.1, 3_600)
  const times = options.times === undefined ? Number.POSITIVE_INFINITY : numberOf(options.times, '--times', 1, 1e6)
  const over = new AbortController()
  const letGo = io.onInterrupt?.(() => over.abort())
  try {
    let before: Reading | null = null
    for (let shown = 0; shown < times && !over.signal.aborted; shown++) {
      if (shown > 0) await sleep(intervalMs, undefined, { signal: over.signal })
      const picture: Picture = await look(io)
      const figures = figuresBetween(before, picture)
      before = picture.reading
      const text = screenOf(picture, figures)
      if (options.json || io.screen === undefined) print(io, options, shownOf(picture, figures), `${text}\n`)
      else io.screen(text)
    }
  } catch (error) {
    if (!over.signal.aborted) throw error
  } finally {
    letGo?.()
  }
}

function figuresBetween(before: Reading | null, { reading }: Picture): Figures | null {
  return before === null || reading === null ? null : figuresOf(before, reading)
}

/** @throws UsageError */
function numberOf(text: string, name: string, least: number, most: number): number {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN
  if (value >= least && value <= most) return value
  throw new UsageError(`${name} must be a number from ${least} to ${most}`)
}

function shownOf(picture: Picture, figures: Figures | null) {
  const { atMs, readiness, live, open, quotas, audit, reading, noReading } = picture
  const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString())
  const oldest = open.length === 0 ? null : Math.min(...open.map(({ oldestSentAtMs }) => oldestSentAtMs))
  return {
    as_of: iso(atMs),
    gateway: readiness,
    live: {
      runs: live.length,
      by_status: Object.fromEntries(counted(live.map(({ status }) => status))),
      by_tenant: Object.fromEntries(counted(live.map(({ tenantId }) => tenantId)))
    },
    open_operations: {
      by_kind: Object.fromEntries(open.map(({ kind, total }) => [kind, total])),
      oldest_sent_at: iso(oldest)
    },
    quotas,
    audit: {
      events: audit.seq,
      newest_at: iso(audit.newestMs),
      signed_up_to: audit.signed?.seq ?? null,
      signed_at: iso(audit.signed?.timeMs ?? null)
    },
    rates: figures && ratesOf(figures),
    since_start: figures && {
      bad_starts: figures.badStarts.bad,
      starts: figures.badStarts.all,
      bad_stops: figures.badStops.bad,
      stops: figures.badStops.all
    },
    process: figures && {
      up_seconds: Math.round(figures.upSeconds),
      memory_bytes: figures.memoryBytes,
      connections: figures.connections,
      event_streams: figures.streams,
      audit_events_waiting: figures.auditWaiting,
      store_writes_waiting: figures.storeWaiting
    },
    not_known: reading === null ? noReading : null
  }
}

/** Each a second, but for the share of a core and of the reads. */
function ratesOf(figures: Figures) {
  const { calls, refused, failed, readsInTime, starts, stops, vendorCalls, heldBack, cpu } = figures
  const rates = { calls, refused, failed, starts, stops, vendor_calls: vendorCalls, held_back: heldBack }
  return { ...rates, reads_in_time: readsInTime, cpu_cores: cpu }
}
