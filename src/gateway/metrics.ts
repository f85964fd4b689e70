import type { FastifyBaseLogger } from 'fastify'
import type { AuditLog } from '../audit/log.ts'
import type { UnstoredEvents } from '../audit/unstored.ts'
import type { AuditedStore } from '../audited-store/audited-store.ts'
import type { Config } from '../config/config.ts'
import type { Clock } from '../domain/values/clock.ts'
import type { Connections } from '../http/connection/connections.ts'
import type { OpenRuns } from '../lifecycle/ledger/hub.ts'
import type { ReconcileLoop } from '../lifecycle/operations/reconcile-loop.ts'
import type { WriteBehind } from '../lifecycle/operations/write-behind.ts'
import type { Push } from '../lifecycle/push/push.ts'
import type { LogOutput } from '../log/log-output.ts'
import type { Sources } from '../metrics/look.ts'
import type { Metrics } from '../metrics/metrics.ts'
import type { Health } from '../routes/health.ts'
import type { Directory } from '../store/memory/directory.ts'
import type { Tracing } from '../tracing/tracing.ts'
import type { Upstreams } from '../upstream/provider.ts'
import type { OpenValkey } from './open-valkey.ts'

/** Opens the metrics of a gateway; null where none are wanted, and then nothing of them is loaded. */
export async function openMetrics(
  { config: { metrics }, logger: log }: { config: Pick<Config, 'metrics'>; logger: FastifyBaseLogger },
  opened: (() => unknown)[]
): Promise<Metrics | null> {
  if (metrics === null) return null
  const { openMetrics: open } = await import('../metrics/metrics.ts')
  const opening = open({
    ...metrics,
    onListen: url => log.info({ event: 'metrics_listening', url }, 'metrics are shown'),
    onTrouble: err => log.error({ event: 'metrics_failed', err }, 'metrics cannot be shown')
  })
  opened.push(() => opening.close())
  return opening
}

export interface MetricsParts {
  services: {
    broadcasts: { reconcileLoop: Pick<ReconcileLoop, 'open'> }
    openRuns: Pick<OpenRuns, 'all'>
    push: { streams: Pick<Push['streams'], 'size'> }
  }
  upstreams: Upstreams
  connections: Pick<Connections, 'size' | 'most'>
  auditLog: Pick<AuditLog, 'waiting'>
  writeBehind: Pick<WriteBehind, 'waiting'>
  unstored: Pick<UnstoredEvents, 'atRisk'>
  audited: { checkpointer: Pick<AuditedStore['checkpointer'], 'signed'> }
  directory: Pick<Directory, 'pulledAtMs' | 'tenants'>
  valkey: Pick<OpenValkey, 'isAway'> | null
  logOutput: Pick<LogOutput, 'lost' | 'unwritten'> | undefined
  tracing: Pick<Tracing, 'lost'>
  health: Health
  clock: Clock
}

/** The parts of a gateway as metrics look at them. */
export function sourcesOf(parts: MetricsParts): Sources {
  const { services, upstreams, connections, auditLog, writeBehind, unstored, audited, directory, health, clock } = parts
  const { broadcasts, openRuns, push } = services
  const { valkey, logOutput, tracing } = parts
  return {
    unknownOperations: () =>
      broadcasts.reconcileLoop
        .open()
        .map(({ kind, sentAtMs }) => ({ kind, ageMs: Math.max(0, clock.now() - sentAtMs) })),
    liveRuns: () => openRuns.all(),
    upstreams: () =>
      [...upstreams].map(([name, upstream]) => {
        const { budget, breaker } = upstream.status()
        const { isRefused } = upstream.credential()
        return {
          name,
          budget: { ...budget, reserved: budget.kept },
          isBreakerOpen: breaker === 'open',
          isCredentialRefused: isRefused
        }
      }),
    streams: () => push.streams.size,
    connections: () => ({ open: connections.size, most: connections.most }),
    audit: () => ({
      waiting: auditLog.waiting,
      records: writeBehind.waiting,
      atRisk: unstored.atRisk,
      signed: audited.checkpointer.signed()
    }),
    store: () => ({ ageMs: clock.monotonic() - directory.pulledAtMs }),
    valkey: () => valkey && { isAway: valkey.isAway() },
    traces: () => ({ lost: tracing.lost }),
    log: () => ({ lost: logOutput?.lost ?? 0, waiting: logOutput?.unwritten ?? 0 }),
    health: () => ({ isReady: health.ready(), degraded: health.degraded(), warnings: health.warnings() }),
    tenants: () => directory.tenants
  }
}
