import { watchKeys } from './audit/keys/key-watch.ts'
import { ReadRollup } from './audit/rollup.ts'
import { UnstoredEvents } from './audit/unstored.ts'
import { openAudited } from './audited-store/audited-store.ts'
import { demandNewest, demandStore } from './audited-store/older-store.ts'
import { demandWritable } from './audited-store/store-rights.ts'
import type { Observer } from './domain/observer.ts'
import type { Operation } from './domain/operation.ts'
import { nameOfHome } from './domain/store-home.ts'
import { systemClock } from './domain/values/clock.ts'
import { openDoors } from './doors.ts'
import { readBootId } from './gateway/boot.ts'
import { folderOf, keepTidy, watchDisk } from './gateway/housekeeping.ts'
import { openMetrics, sourcesOf } from './gateway/metrics.ts'
import { openAuditLog, tellAccepted } from './gateway/open-audit-log.ts'
import { openTracing } from './gateway/open-tracing.ts'
import { openUpstreams } from './gateway/open-upstreams.ts'
import { openValkey } from './gateway/open-valkey.ts'
import { opening } from './gateway/opening.ts'
import { type GatewayState, readinessOf } from './gateway/readiness.ts'
import { storeNews } from './gateway/store-news.ts'
import { takeOver, takeOverWhileLeading } from './gateway/take-over.ts'
import { lookAfterKeys } from './gateway/tenant-keys.ts'
import type { Gateway, GatewayOptions } from './gateway-options.ts'
import { waitBriefly } from './lifecycle/context.ts'
import { WriteBehind } from './lifecycle/operations/write-behind.ts'
import { services } from './services.ts'
import { observedEngine } from './store/engine/observed.ts'
import { serveAtHome } from './store/homes.ts'
import { followStore, openDirectory } from './store/memory/directory.ts'
import { openStore, type Store } from './store/store.ts'
import { operationsIn } from './store/tables/operations.ts'
import { runEventsIn } from './store/tables/runs/run-events.ts'
import { stopOrdersIn } from './store/tables/runs/stop-orders.ts'
import { takenWebhooksIn } from './store/tables/webhooks-in/taken-webhooks.ts'
import type { Upstreams } from './upstream/provider.ts'

export type { Gateway, GatewayOptions } from './gateway-options.ts'

/**
 * Starts a gateway: the only place where adapters meet. What is opened first is closed last.
 * @throws StoreError when the store can't be opened, is newer, or is served by another gateway; OlderStoreError when the last
 *   checkpoint vouches for more than it has
 */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  return opening(options.config, async (opened, closeAll) => {
    const metrics = await openMetrics(options, opened)
    const { configured, auditLog, ...inner } = await openInner({ ...options, observer: metrics?.observer }, opened)
    const { directory, writeBehind, state } = inner
    const { url, app, connections, close } = await openDoors({ ...options, ...inner, opened, closeAll })
    state.ready = true
    await metrics?.show(sourcesOf({ ...inner, auditLog, connections, logOutput: options.logOutput }))
    inner.services.webhookSender.start()
    inner.services.watch.begin()
    // A gateway counts as started when look-ups have their thread; calls do not wait for it.
    await inner.store.engine.serve()
    return {
      url,
      app,
      directory,
      checkUpstreams: () => configured.check(),
      async flushAudit() {
        await writeBehind.flush()
        await auditLog.flush()
      },
      close
    }
  })
}

/**
 * The same without doors: nobody can call it, while what is open is seen to, and orders to stop are carried out. For a command, while no
 * gateway serves the store. @throws ServedAlready at once when one does; as `startGateway`
 */
export async function withoutDoors<T>(options: GatewayOptions, work: (store: Store) => Promise<T>): Promise<T> {
  return opening(options.config, async (opened, closeAll) => {
    const { store, services, ending } = await openInner({ ...options, waitMs: 0, most: 1 }, opened)
    try {
      return await work(store)
    } finally {
      // Calls that are cut off have an unknown outcome: the next gateway finds it out.
      ending.abort()
      await services.broadcasts.idle()
      await services.broadcasts.auditTrail.idle()
      await waitBriefly(closeAll(), options.config.shutdownMs)
    }
  })
}

/** Opens everything that works behind the doors. */
async function openInner(
  {
    config,
    logger,
    clock = systemClock,
    upstreamCa,
    upstreams: others = new Map(),
    vendors,
    logOutput,
    acceptOlder,
    observer,
    writeWithinMs,
    valkeyWithinMs,
    webhookWay,
    open = openStore,
    waitMs = config.shutdownMs,
    most = config.replicas
  }: GatewayOptions & { waitMs?: number; most?: number; observer?: Observer | undefined },
  opened: (() => unknown)[]
) {
  const { home, shutdownMs } = config
  await demandWritable(config)
  const tracing = await openTracing(config.traces, clock, logger)
  opened.push(() => tracing.close())
  const bootId = readBootId()
  const unstored = new UnstoredEvents({ log: logger, output: logOutput ?? null })
  opened.push(() => unstored.close())
  await demandStore(home, config.auditKeys.dataDir, acceptOlder?.hash)
  const served = await serveAtHome(home, {
    open,
    waitMs,
    bootId,
    clock,
    most,
    ...{ deadlineMs: config.deadlineMs, writeWithinMs },
    demand: store => demandNewest(store, config.auditKeys.dataDir, acceptOlder?.hash),
    ...storeNews(logger, { store: nameOfHome(home), shutdownMs })
  })
  opened.push(() => served.close())
  const store = observer === undefined ? served : { ...served, engine: observedEngine(served.engine, observer) }
  const { replicas } = served
  const onKey = (publicKey: string): void =>
    logger.info(
      { event: 'audit_public_key', publicKey },
      'this key proves the audit log: keep a copy of it in another place'
    )
  const audited = await openAudited({
    store,
    places: config.auditKeys,
    clock,
    replicas,
    acceptOlder,
    onKey,
    onCheckpoint: ({ seq, note }) =>
      logger.info({ event: 'audit_checkpoint', seq, checkpoint: note }, 'audit checkpoint'),
    onTrouble(err) {
      observer?.checkpointFailed()
      logger.error({ event: 'audit_checkpoint_failed', err }, 'the audit log could not be signed')
    }
  })
  onKey(audited.keys.signer.publicKey)
  if (acceptOlder !== undefined) tellAccepted(audited, logger)
  const { engine } = store
  const valkey = await openValkey({ config, logger, clock, replicas, withinMs: valkeyWithinMs }, opened)
  const leaving = { engine, operations: operationsIn(store), auditEvents: audited.events, clock }
  const left: Operation[] = []
  await takeOver(leaving, logger, operation => left.push(operation))
  await audited.checkpointer.start()
  opened.push(() => audited.checkpointer.close())
  const directory = await openDirectory(store, clock)

  const ending = new AbortController()
  const state: GatewayState = { ready: false, draining: false, auditTrouble: false }
  const setTrouble = (trouble: boolean): void => {
    state.auditTrouble = trouble
  }
  const auditLog = openAuditLog({ store, audited, logger, observer, setTrouble })
  const rollup = new ReadRollup({ reads: config.auditReads, append: event => auditLog.append(event), clock })
  const disk = watchDisk(folderOf(home, config.auditKeys.dataDir), config.diskFloorMb, logger)
  opened.push(() => disk.close())
  const keys = watchKeys(() => audited.findKeys(), logger)
  opened.push(() => keys.close())
  const unwritten = 'what happened could not be written down yet'
  const writeBehind = new WriteBehind({
    engine: store.engine,
    onTrouble: (err, waiting) => logger.error({ event: 'records_waiting', err, waiting }, unwritten)
  })
  opened.push(() => writeBehind.close())
  opened.push(() => auditLog.close())
  opened.push(() => rollup.close())
  const configured = await openUpstreams({
    config,
    store,
    bootId,
    clock,
    logger,
    observer,
    ca: upstreamCa,
    vendors,
    shareOf: valkey?.shareOf,
    append: event => auditLog.append(event),
    fingerprint: audited.keys.fingerprint
  })
  opened.push(() => configured.close())
  for (const upstream of others.values()) opened.push(() => upstream.close())
  const upstreams: Upstreams = others.size === 0 ? configured.upstreams : new Map([...configured.upstreams, ...others])
  opened.push(
    followStore(directory, err => logger.error({ event: 'store_unreadable', err }, 'the store cannot be read'))
  )
  const tenantKeys = lookAfterKeys(store, logger, clock)
  opened.push(() => tenantKeys.close())
  const { auditRetentionDays } = config
  const rows = { operations: operationsIn(store), runEvents: runEventsIn(store), stopOrders: stopOrdersIn(store) }
  const webhooksKept = takenWebhooksIn(store)
  opened.push(keepTidy({ audited, ...rows, webhooks: webhooksKept, replicas, auditRetentionDays, log: logger, clock }))

  const all = services({
    ...{ store, directory, upstreams, audited, writeBehind, unstored, config, clock },
    ...{ observer, tracing, replicas, writeWithinMs, webhookWay, sharedChanges: valkey?.changes ?? null },
    log: logger,
    ending: ending.signal
  })
  const { broadcasts, ledger, ends, push, watch, webhookSender, webhooks, stopOrders, followRuns, recall } = all
  const { auditTrail, reconcileLoop } = broadcasts
  opened.push(() => ledger.close())
  opened.push(() => followRuns.close())
  opened.push(() => reconcileLoop.close())
  opened.push(() => stopOrders.close())
  opened.push(() => ends.close())
  opened.push(() => push.close())
  opened.push(() => watch.close())
  opened.push(() => webhookSender.close())
  opened.push(() => webhooks.close())
  await recall()
  // Overdue runs are stopped first.
  await ends.begin()
  // Behind it: the end of a meeting is news of a run that must be known.
  if (replicas.leads()) await webhooks.resume()
  for (const operation of left) reconcileLoop.add(operation)
  opened.push(takeOverWhileLeading({ ...leaving, replicas, reconcileLoop, resume: webhooks.resume, log: logger }))
  await stopOrders.start()
  const { fingerprint } = audited.keys
  const health = readinessOf(state, {
    ...{ store, valkey, directory, writeBehind, auditTrail, unstored, keys, tenantKeys, disk },
    ...{ reconcileLoop, watch, logOutput, clock, upstreams: configured }
  })
  return {
    ...{ store, directory, configured, upstreams, writeBehind, unstored, audited, auditLog, rollup, state, ending },
    ...{ valkey, fingerprint, noteUse: tenantKeys.noteUse, health, clock, observer, tracing },
    services: all
  }
}
