import type { KeyWatch } from '../audit/keys/key-watch.ts'
import type { UnstoredEvents } from '../audit/unstored.ts'
import type { Clock } from '../domain/values/clock.ts'
import type { RunWatch } from '../lifecycle/ledger/run-watch.ts'
import type { ReconcileLoop } from '../lifecycle/operations/reconcile-loop.ts'
import type { WriteBehind } from '../lifecycle/operations/write-behind.ts'
import type { LogOutput } from '../log/log-output.ts'
import type { Health } from '../routes/health.ts'
import type { Directory } from '../store/memory/directory.ts'
import type { ServedStore } from '../store/served/served-store.ts'
import type { DiskWatch } from './housekeeping.ts'
import type { OpenUpstreams } from './open-upstreams.ts'
import type { OpenValkey } from './open-valkey.ts'
import type { TenantKeys } from './tenant-keys.ts'

/** The progress of a gateway between its start and its end. */
export interface GatewayState {
  ready: boolean
  draining: boolean
  /** Audit events wait, since the store cannot be written. */
  auditTrouble: boolean
}

export interface ReadinessParts {
  store: Pick<ServedStore, 'lost'>
  /** Null where there is none. */
  valkey: Pick<OpenValkey, 'isAway'> | null
  directory: Pick<Directory, 'pulledAtMs' | 'moved'>
  writeBehind: Pick<WriteBehind, 'waiting'>
  auditTrail: { late(): number }
  unstored: Pick<UnstoredEvents, 'atRisk'>
  keys: Pick<KeyWatch, 'missing'>
  tenantKeys: Pick<TenantKeys, 'someExpire'>
  disk: Pick<DiskWatch, 'low'>
  reconcileLoop: Pick<ReconcileLoop, 'stopsOlderThan'>
  watch: Pick<RunWatch, 'unowned'>
  upstreams: Pick<OpenUpstreams, 'warnings'>
  logOutput: LogOutput | undefined
  clock: Clock
}

/** Age of an open stop from which a person should look after it: two looks take less. */
const stopsWarnAfterMs = 10_000
/** Time without news from the store after which it counts as broken. */
const degradedAfterMs = 5_000

/** Tells whether a gateway is well, by asking its parts. */
export function readinessOf(state: Readonly<GatewayState>, parts: ReadinessParts): Health {
  const {
    store,
    valkey,
    directory,
    writeBehind,
    auditTrail,
    unstored,
    keys,
    tenantKeys,
    disk,
    reconcileLoop,
    watch,
    upstreams,
    logOutput,
    clock
  } = parts
  return {
    ready: () => state.ready && !state.draining,
    degraded() {
      const blind = clock.monotonic() - directory.pulledAtMs > degradedAfterMs
      const waits = writeBehind.waiting > 0 || auditTrail.late() > 0
      const troubled = state.auditTrouble || waits || blind || directory.moved || store.lost()
      return [
        ...(troubled ? (['store'] as const) : []),
        ...(unstored.atRisk > 0 ? (['log'] as const) : []),
        ...(valkey?.isAway() ? (['valkey'] as const) : [])
      ]
    },
    warnings: () => [
      ...(keys.missing() ? (['audit_keys'] as const) : []),
      ...(disk.low() ? (['disk_space'] as const) : []),
      ...(reconcileLoop.stopsOlderThan(stopsWarnAfterMs) > 0 ? (['open_stops'] as const) : []),
      ...(tenantKeys.someExpire() ? (['keys_expiring'] as const) : []),
      ...(watch.unowned() > 0 ? (['unowned_runs'] as const) : []),
      ...(logOutput?.troubled() ? (['log_output'] as const) : []),
      ...upstreams.warnings()
    ]
  }
}
