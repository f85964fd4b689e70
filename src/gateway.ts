import { dirname } from 'node:path'
import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import { buildApp } from './app.ts'
import { watchKeys } from './audit/keys/key-watch.ts'
import { AuditLog } from './audit/log.ts'
import { ReadRollup } from './audit/rollup.ts'
import { UnstoredEvents } from './audit/unstored.ts'
import { type AuditedOptions, type AuditedStore, openAudited } from './audited-store/audited-store.ts'
import { demandNewest, demandStore } from './audited-store/older-store.ts'
import { demandWritable } from './audited-store/store-rights.ts'
import type { Config } from './config/config.ts'
import { type Clock, systemClock } from './domain/values/clock.ts'
import { readBootId } from './gateway/boot.ts'
import { drain } from './gateway/drain.ts'
import { keepTidy, watchDisk } from './gateway/housekeeping.ts'
import { httpSettings } from './gateway/http-settings.ts'
import { openUpstreams } from './gateway/open-upstreams.ts'
import { type GatewayState, readinessOf } from './gateway/readiness.ts'
import { listen } from './http/connection/listen.ts'
import { callersConnections } from './http/connection/open-files.ts'
import { waitBriefly } from './lifecycle/context.ts'
import { markInterrupted } from './lifecycle/operations/mark-interrupted.ts'
import { WriteBehind } from './lifecycle/operations/write-behind.ts'
import type { LogOutput } from './log/log-output.ts'
import { services } from './services.ts'
import { type Directory, followStore, openDirectory } from './store/memory/directory.ts'
import { openServed } from './store/served/served-store.ts'
import { openStore, type Store } from './store/store.ts'
import { operationsIn } from './store/tables/operations.ts'
import { runEventsIn } from './store/tables/run-events.ts'
import type { Upstreams } from './upstream/provider.ts'
import type { Vendors } from './upstream/vendors/vendor.ts'

export interface Gateway {
  /** Address on which it listens, e.g. `http://127.0.0.1:3000`. */
  readonly url: string
  readonly app: FastifyInstance
  readonly directory: Directory
  /** Waits until every event that was appended so far is written. */
  flushAudit(): Promise<void>
  /** Asks each vendor whether it takes our credentials, and logs where it doesn't. */
  checkUpstreams(): Promise<void>
  /** Ends gracefully: calls under way finish, new ones get 503. Idempotent. */
  close(): Promise<void>
}

export interface GatewayOptions {
  config: Config
  logger: FastifyBaseLogger
  clock?: Clock
  /** Extra trusted certificate authorities for the vendor, in PEM. */
  upstreamCa?: string
  /** Vendor accounts beside the configured ones or instead of them, by the name that their meetings carry. */
  upstreams?: Upstreams
  /** Vendors of the configured accounts. Default: all that Livegate speaks to. */
  vendors?: Vendors
  /** The log's destination, which tells what became of its lines. Without one they count as written. */
  logOutput?: LogOutput
  /** Just before it listens: from then on there is something to finish, and this closes the gateway. */
  onListen?(close: () => Promise<void>): void
  /** Accepts, this once, a store that is older than its last checkpoint. It has no effect on any other. */
  acceptOlder?: AuditedOptions['acceptOlder']
  /** Longest time for the audit trail of a mutation to be written, in tests where nobody waits for an answer within a second. */
  writeWithinMs?: number
  /** Opens the store in another way than with threads of its own (a test). */
  open?(file: string): Promise<Store>
}

/**
 * Starts a gateway: the only place where adapters meet. What is opened first is closed last.
 * @throws StoreError when the store can't be opened, is newer, or is served by another gateway; OlderStoreError when the last
 *   checkpoint vouches for more than it has
 */
export async function startGateway({
  config,
  logger,
  clock = systemClock,
  upstreamCa,
  upstreams: others = new Map(),
  vendors,
  logOutput,
  onListen,
  acceptOlder,
  writeWithinMs,
  open = openStore
}: GatewayOptions): Promise<Gateway> {
  const { storeFile, shutdownMs } = config
  await demandWritable(config)
  const bootId = readBootId()
  const opened: (() => unknown)[] = []
  const closeAll = async (): Promise<void> => {
    while (opened.length > 0) await opened.pop()?.()
  }
  const unstored = new UnstoredEvents({ log: logger, output: logOutput ?? null })
  opened.push(() => unstored.close())
  try {
    await demandStore(storeFile, config.auditKeys.dataDir, acceptOlder?.hash)
    const store = await openServed({
      file: storeFile,
      open,
      waitMs: shutdownMs,
      bootId,
      clock,
      demand: store => demandNewest(store, config.auditKeys.dataDir, acceptOlder?.hash),
      onWait: () => logger.info({ storeFile, shutdownMs }, 'another gateway serves this store: waiting for it to end'),
      onNames: names =>
        logger.warn({ storeFile, names }, 'the database has several names (hard links): use it by one of them alone'),
      onTrouble: err => logger.error({ err }, 'that this gateway serves the store could not be written into it')
    })
    opened.push(() => store.close())
    const onKey = (publicKey: string): void =>
      logger.info({ publicKey }, 'this key proves the audit log: keep a copy of it in another place')
    const audited = await openAudited({
      store,
      places: config.auditKeys,
      clock,
      acceptOlder,
      onKey,
      onCheckpoint: ({ seq, note }) => logger.info({ seq, checkpoint: note }, 'audit checkpoint'),
      onTrouble: err => logger.error({ err }, 'the audit log could not be signed')
    })
    onKey(audited.keys.signer.publicKey)
    if (acceptOlder !== undefined) tellAccepted(audited, logger)
    const { engine } = store
    const left = await markInterrupted({ engine, operations: operationsIn(store), auditEvents: audited.events, clock })
    for (const { id, kind } of left) logger.warn({ operation: id, kind }, 'the outcome of an operation is unknown')
    await audited.checkpointer.start()
    opened.push(() => audited.checkpointer.close())
    const directory = await openDirectory(store, clock)

    const ending = new AbortController()
    const state: GatewayState = { ready: false, draining: false, auditTrouble: false }
    const auditLog = openAuditLog(store, audited, logger, trouble => {
      state.auditTrouble = trouble
    })
    const rollup = new ReadRollup({ reads: config.auditReads, append: event => auditLog.append(event), clock })
    const disk = watchDisk(dirname(storeFile), config.diskFloorMb, logger)
    opened.push(() => disk.close())
    const keys = watchKeys(() => audited.findKeys(), logger)
    opened.push(() => keys.close())
    const writeBehind = new WriteBehind({
      engine: store.engine,
      onTrouble: (err, waiting) => logger.error({ err, waiting }, 'what happened could not be written down yet')
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
      ca: upstreamCa,
      vendors,
      append: event => auditLog.append(event),
      fingerprint: audited.keys.fingerprint
    })
    opened.push(() => configured.close())
    for (const upstream of others.values()) opened.push(() => upstream.close())
    const upstreams: Upstreams =
      others.size === 0 ? configured.upstreams : new Map([...configured.upstreams, ...others])
    opened.push(followStore(directory, err => logger.error({ err }, 'the store cannot be read')))
    const { auditRetentionDays } = config
    const tidied = { audited, operations: operationsIn(store), runEvents: runEventsIn(store) }
    opened.push(keepTidy({ ...tidied, auditRetentionDays, log: logger, clock }))

    const { routes, broadcasts, adopt, operations, runs, ledger, push, watch, recall } = services({
      ...{ store, directory, upstreams, audited, writeBehind, unstored, config, clock, writeWithinMs },
      log: logger,
      ending: ending.signal
    })
    const { auditTrail, reconcileLoop } = broadcasts
    opened.push(() => ledger.close())
    opened.push(() => reconcileLoop.close())
    opened.push(() => Promise.all([push.close(), watch.close()]))
    await recall()
    for (const operation of left) reconcileLoop.add(operation)
    const connections = callersConnections({ config, logger, clock })
    const app = await buildApp({
      ...{ directory, runs, connections, adopt, clock, logger, fingerprint: audited.keys.fingerprint },
      services: routes,
      replays: { operations, reconcileNow: reconcileLoop.now.bind(reconcileLoop) },
      appendEvent: rollup.append.bind(rollup),
      health: readinessOf(state, {
        ...{ store, directory, writeBehind, auditTrail, unstored, keys, disk, reconcileLoop, watch, logOutput, clock },
        upstreams: configured
      }),
      draining: () => state.draining,
      settings: httpSettings(config)
    })
    opened.push(() => app.close())

    const finish = (): Promise<void> => {
      state.draining = true
      return drain({ connections, broadcasts, auditTrail, push, ending, shutdownMs })
    }
    const listening = listen(app, config).then(({ url, close: closeDoors }) => {
      opened.push(closeDoors)
      return url
    })
    let closing: Promise<void> | null = null
    const close = (): Promise<void> => {
      closing ??= listening.then(finish).finally(closeAll)
      return closing
    }
    onListen?.(close)
    const url = await listening
    watch.begin()
    state.ready = true
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
  } catch (error) {
    // A part that hangs while it closes must not hide why the start failed.
    await waitBriefly(closeAll(), shutdownMs)
    throw error
  }
}

function tellAccepted({ accepted }: AuditedStore, logger: FastifyBaseLogger): void {
  if (accepted === null) logger.warn('nothing is left to accept: --accept-older-store can go')
  else logger.warn({ lost: accepted }, 'an older store was accepted: keys that were revoked since work again')
}

function openAuditLog(
  { engine }: Store,
  { events: auditEvents }: AuditedStore,
  logger: FastifyBaseLogger,
  setTrouble: (trouble: boolean) => void
): AuditLog {
  return new AuditLog({
    async write(events) {
      await engine.write(events.map(event => auditEvents.append(event)))
      setTrouble(false)
    },
    onTrouble(err, waiting) {
      setTrouble(true)
      logger.error({ err, waiting }, 'audit events wait: the store cannot be written')
    }
  })
}
