import { randomUUID } from 'node:crypto'
import { statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { AuditedStore } from '../audited-store/audited-store.ts'
import type { Replicas } from '../domain/replicas.ts'
import type { StoreHome } from '../domain/store-home.ts'
import { type Clock, Loop, notSetForward } from '../domain/values/clock.ts'
import { tellTrouble } from '../domain/values/tell-trouble.ts'
import type { Operations } from '../store/tables/operations.ts'
import type { RunEventRows } from '../store/tables/runs/run-events.ts'
import type { StopOrders } from '../store/tables/runs/stop-orders.ts'
import type { TakenWebhooks } from '../store/tables/webhooks-in/taken-webhooks.ts'

interface Log {
  info(facts: object, message: string): void
  warn(facts: object, message: string): void
  error(facts: object, message: string): void
}

export interface TidyDeps {
  audited: Pick<AuditedStore, 'prune'>
  operations: Pick<Operations, 'removeSettled'>
  runEvents: Pick<RunEventRows, 'removeOld'>
  stopOrders: Pick<StopOrders, 'removeEnded'>
  webhooks: Pick<TakenWebhooks, 'removeOld'>
  /** Null: the audit log is kept for ever. */
  auditRetentionDays: number | null
  log: Log
  clock: Clock
  replicas?: Pick<Replicas, 'leads'>
}

const dayMs = 86_400_000
const tidyTimes = { firstAfterMs: 60_000, everyMs: 3_600_000 }
/** Time that a settled operation is kept, for the replay of its answer, and an order to stop. The audit log remembers it for longer. */
const keepOperationsMs = 7 * dayMs
/** Time that the events of runs are kept, for readers that come back. */
const keepRunEventsMs = 7 * dayMs
/** Time within which a webhook that comes again is known (docs/webhooks-in.md). */
const keepWebhooksMs = 7 * dayMs
const rowsAStep = 500
const pauseMs = 20

/** Removes what is old in small steps, so that nobody waits for it. */
export async function tidy({
  audited,
  operations,
  runEvents,
  stopOrders,
  webhooks,
  auditRetentionDays,
  log,
  clock
}: TidyDeps): Promise<void> {
  const nowMs = clock.now()
  if (auditRetentionDays !== null) {
    const worker = { actor: { type: 'Gateway' as const, uid: 'retention' }, requestId: randomUUID() }
    const { removed, cutAt } = await audited.prune(nowMs - auditRetentionDays * dayMs, worker)
    if (removed > 0)
      log.info({ event: 'audit_events_pruned', removed, cutAt }, 'audit events were removed: their time is over')
  }
  await inSteps(() => stopOrders.removeEnded(nowMs - keepOperationsMs, rowsAStep))
  await inSteps(() => operations.removeSettled(nowMs - keepOperationsMs, rowsAStep))
  await inSteps(() => runEvents.removeOld(nowMs - keepRunEventsMs, rowsAStep))
  await inSteps(() => webhooks.removeOld(nowMs - keepWebhooksMs, rowsAStep))
}

async function inSteps(remove: () => Promise<number>): Promise<void> {
  while ((await remove()) === rowsAStep) await sleep(pauseMs)
}

/** Tidies every hour: what is removed does not come back, so a clock that is set forward removes nothing. @returns a function that ends it */
export function keepTidy(deps: TidyDeps, { firstAfterMs, everyMs } = tidyTimes): () => Promise<void> {
  const clock = notSetForward(deps.clock)
  const loop = new Loop({
    round: () => (deps.replicas?.leads() === false ? undefined : tidy({ ...deps, clock })),
    everyMs,
    onTrouble: tellTrouble(
      deps.log,
      'error',
      { event: 'housekeeping_failed' },
      'what is old could not be removed: tried again in an hour'
    )
  })
  loop.start(firstAfterMs)
  return () => loop.close()
}

/** The folder that must not become full: the store's, or that of what is kept beside a store on another machine. */
export function folderOf(home: StoreHome, dataDir: string): string {
  return home.kind === 'sqlite' ? dirname(home.file) : dataDir
}

/** The space that is free for this process on the file system of a folder. */
export async function freeMbAt(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  return Math.floor((bavail * bsize) / 2 ** 20)
}

const lookAtDiskEveryMs = 10_000
const warnEveryMs = 600_000

export interface DiskWatch {
  /** True when less than the floor was free at the last look. */
  low(): boolean
  close(): void
}

/** Watches the free space where the store is: starts stop when it is used up, and it should not come to that. */
export function watchDisk(folder: string, floorMb: number, log: Log, everyMs = lookAtDiskEveryMs): DiskWatch {
  let low = false
  let warnedAtMs = Number.NEGATIVE_INFINITY
  const look = async (): Promise<void> => {
    const freeMb = await freeMbAt(folder)
    low = freeMb < floorMb
    if (!low || performance.now() - warnedAtMs < warnEveryMs) return
    warnedAtMs = performance.now()
    log.warn(
      { event: 'disk_space_low', folder, freeMb, floorMb },
      'little disk space is left: without any, starts are refused'
    )
  }
  const onTrouble = tellTrouble(
    log,
    'error',
    { event: 'disk_space_unknown', folder },
    'the free disk space cannot be read'
  )
  const loop = new Loop({ round: look, everyMs, onTrouble }).start(0)
  return {
    low: () => low,
    close() {
      // A disk that hangs holds up no end.
      void loop.close()
    }
  }
}
