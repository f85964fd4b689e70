import { readMetricsConfig, readStoreConfig } from '../../config/config.ts'
import { seriesIn } from '../../metrics/text.ts'
import { auditEventsIn } from '../../store/tables/audit/audit-events.ts'
import { auditNotesIn } from '../../store/tables/audit/audit-notes.ts'
import { type OpenOperations, overviewOf } from '../../store/tables/overview.ts'
import { broadcastRunsIn } from '../../store/tables/runs/broadcast-runs.ts'
import { askGateway, placeAt, placeOfCallers } from '../process/ask-gateway.ts'
import type { Io } from '../process/io.ts'
import { withSnapshot } from '../process/with-store.ts'
import { readQuotas, type ShownQuota } from '../upstream.ts'
import type { Reading } from './figures.ts'

/** The answer of `/readyz`. */
export interface Readiness {
  status: string
  degraded: string[]
  warnings: string[]
}

/** A gateway at a moment: rows of its store, its answers where it runs, and the record of each quota. */
export interface Picture {
  atMs: number
  live: { status: string; tenantId: string }[]
  open: OpenOperations[]
  audit: { seq: number; newestMs: number | null; signed: { seq: number; timeMs: number } | null }
  quotas: ShownQuota[]
  /** The place where it was asked. */
  url: string
  /** Null when nobody answers. */
  readiness: Readiness | null
  /** Null where it shows no metrics. */
  reading: Reading | null
  /** Why there is none. */
  noReading: string
}

export async function look(io: Io): Promise<Picture> {
  const atMs = Date.now()
  const rows = await withSnapshot(io, async store => {
    const [head, signed, newestMs] = await Promise.all([
      auditEventsIn(store).head(),
      auditNotesIn(store).newest('checkpoint'),
      overviewOf(store).newestEventMs()
    ])
    return {
      live: await broadcastRunsIn(store).open(),
      open: await overviewOf(store).openOperations(),
      audit: { seq: head.seq, newestMs, signed: signed && { seq: signed.seq, timeMs: signed.timeMs } }
    }
  })
  const { auditKeys } = readStoreConfig(io.env)
  const place = placeOfCallers(io.env, '/readyz')
  const [readiness, shown] = await Promise.all([readinessAt(place), readMetrics(io)])
  return { atMs, ...rows, quotas: await readQuotas(auditKeys.dataDir, atMs), url: place.url, readiness, ...shown }
}

async function readinessAt(place: ReturnType<typeof placeOfCallers>): Promise<Readiness | null> {
  const answer = await askGateway(place)
  if (answer === null) return null
  try {
    const { status, degraded, warnings } = JSON.parse(answer.text)
    return { status: String(status), degraded: [...degraded].map(String), warnings: [...warnings].map(String) }
  } catch {
    return null
  }
}

/** Any address of this machine, where it listens at all of them. */
const here: Record<string, string> = { '0.0.0.0': '127.0.0.1', '::': '::1' }

/** Reads the metrics of the gateway, where it shows them. */
export async function readMetrics(io: Io): Promise<Pick<Picture, 'reading' | 'noReading'>> {
  const config = readMetricsConfig(io.env)
  if (config === null) return { reading: null, noReading: 'LIVEGATE_METRICS_PORT is not set' }
  const place = placeAt(here[config.host] ?? config.host, config.port, '/metrics')
  const answer = await askGateway(place)
  if (answer?.status !== 200) return { reading: null, noReading: `${place.url} does not answer` }
  return { reading: { series: seriesIn(answer.text), atMs: Date.now() }, noReading: '' }
}
