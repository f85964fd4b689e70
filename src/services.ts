import { randomUUID } from 'node:crypto'
import type { UnstoredEvents } from './audit/unstored.ts'
import type { AuditedStore } from './audited-store/audited-store.ts'
import type { Config } from './config/config.ts'
import type { Clock } from './domain/values/clock.ts'
import { holder, recheckPermission } from './lifecycle/broadcast/before-sending.ts'
import { type Broadcasting, broadcasting } from './lifecycle/broadcast/broadcasting.ts'
import { Changes, type Context, deadlines } from './lifecycle/context.ts'
import { changeRun } from './lifecycle/ends/change-run.ts'
import { type RunEnding, runEnding } from './lifecycle/ends/ends.ts'
import { limiting } from './lifecycle/ends/limits.ts'
import { retiredMeetings } from './lifecycle/ends/retired-meetings.ts'
import { enderOf } from './lifecycle/ledger/ender-of.ts'
import { RunHub } from './lifecycle/ledger/hub.ts'
import { Ledger } from './lifecycle/ledger/ledger.ts'
import { RunWatch } from './lifecycle/ledger/run-watch.ts'
import { takeOverRuns } from './lifecycle/ledger/runs-at-start.ts'
import { sightingsIn } from './lifecycle/ledger/sightings.ts'
import type { WriteBehind } from './lifecycle/operations/write-behind.ts'
import type { StopOrderLoop } from './lifecycle/orders/stop-order-loop.ts'
import { stopOrderLoop } from './lifecycle/orders/stop-orders.ts'
import { type Push, push } from './lifecycle/push/push.ts'
import { type Adopt, adopter } from './lifecycle/resources/adopt.ts'
import { recheckSwitchPermission } from './lifecycle/resources/livestream-changes.ts'
import { tenantResources } from './lifecycle/resources/of-tenants.ts'
import { rememberLivestreamIn, rememberRunsIn } from './lifecycle/resources/remember.ts'
import { isComing } from './lifecycle/running/is-coming.ts'
import { type ReceivingWebhooks, receivingWebhooks } from './lifecycle/webhooks-in/receiving.ts'
import type { PostOptions } from './lifecycle/webhooks-out/post.ts'
import type { WebhookSender } from './lifecycle/webhooks-out/sender.ts'
import { webhooksOut } from './lifecycle/webhooks-out/webhooks-out.ts'
import type { Services as RouteServices } from './routes/index.ts'
import type { Directory } from './store/memory/directory.ts'
import type { Store } from './store/store.ts'
import { analyticsIn } from './store/tables/analytics.ts'
import { livestreamsIn } from './store/tables/livestreams.ts'
import { meetingsIn } from './store/tables/meetings.ts'
import { misplacedIn } from './store/tables/misplaced.ts'
import { type Operations, operationsIn } from './store/tables/operations.ts'
import { type BroadcastRuns, broadcastRunsIn } from './store/tables/runs/broadcast-runs.ts'
import { sessionsIn } from './store/tables/sessions.ts'
import { webhookCountsIn } from './store/tables/webhooks-in/counts.ts'
import { takenWebhooksIn } from './store/tables/webhooks-in/taken-webhooks.ts'
import type { Upstreams } from './upstream/provider.ts'

/** Parts that the services are made of. */
export interface Parts {
  store: Store
  directory: Directory
  upstreams: Upstreams
  audited: AuditedStore
  writeBehind: WriteBehind
  unstored: UnstoredEvents
  config: Pick<
    Config,
    'deadlineMs' | 'settleMs' | 'readTtlMs' | 'neverLiveMs' | 'reconcileMs' | 'webhookRetryMs' | 'webhookNetworks'
  >
  log: Context['log']
  clock: Clock
  /** Cuts off what waits for the vendor. */
  ending: AbortSignal
  /** Longest time for the audit trail of a mutation to be written, where that is not the usual one. */
  writeWithinMs?: number | undefined
  /** Where the receivers of webhooks are found and trusted in another way than the usual one. */
  webhookWay?: Pick<PostOptions, 'resolve' | 'ca'> | undefined
}

/** Everything below HTTP that serves requests. */
export interface Services {
  /** Called by the routes. */
  routes: RouteServices
  /** Starts and stops, and what looks after them. */
  broadcasts: Broadcasting
  adopt: Adopt
  operations: Operations
  runs: BroadcastRuns
  ledger: Ledger
  /** Ends runs on time. */
  ends: RunEnding
  push: Push
  /** Looks at what runs while nobody asks, from its `begin` on. */
  watch: RunWatch
  /** Webhooks of vendors. */
  webhooks: ReceivingWebhooks
  /** Before the first call: remembers what an earlier process did, and tells the ledger what it did not come to tell. @throws what the store throws */
  recall(): Promise<void>
  /** Carries out the orders to stop that operators give. */
  stopOrders: StopOrderLoop
  /** Delivers events to the webhooks of tenants, once it is started. */
  webhookSender: WebhookSender
}

/** Puts the services together: each gets the context of all requests and, by name, what else it needs. */
export function services(parts: Parts): Services {
  const { store, directory, upstreams, audited, writeBehind, unstored, log, clock, writeWithinMs } = parts
  const { deadlineMs, settleMs, readTtlMs, neverLiveMs, reconcileMs } = parts.config
  const context: Context = { clock, log, ...deadlines(deadlineMs, parts.ending), changes: new Changes(), readTtlMs }
  const { deadline } = context
  const auditEvents = audited.events
  // Writes that decide over the life of an operation keep their order.
  const engine = { write: writeBehind.write.bind(writeBehind) }

  const operations = operationsIn(store)
  const livestreams = livestreamsIn(store, clock)
  const meetings = meetingsIn(store)
  const sessions = sessionsIn(store)
  const hub = new RunHub(log)

  const runs = broadcastRunsIn(store)
  const ledger = new Ledger({
    ...{ engine, runs, hub, log, clock, settleMs },
    newId: randomUUID,
    enderOf: enderOf(operations)
  })
  const sightings = sightingsIn({ ledger, upstreams, clock })

  const limits = limiting({ store, engine, runs, hub, directory, clock, settleMs })

  const rememberLivestream = rememberLivestreamIn({ livestreams, directory, sightings, log, clock })
  const rememberRuns = rememberRunsIn({ engine, sessions, log, clock })
  const holds = holder({ directory, meetings, upstreams })
  const adopt = adopter({ upstreams, meetings, holds, directory, auditEvents, rememberLivestream, clock, deadline })
  const coming = isComing({ livestreams, settleMs })

  const broadcasts = broadcasting({
    ...context,
    upstreams,
    engine,
    operations,
    livestreams,
    meetings,
    misplaced: misplacedIn(store),
    auditEvents,
    directory,
    holds,
    writeBehind,
    unstored,
    runs,
    ledger,
    sightings,
    liveRoom: limits.liveRoom,
    shortenRun: limits.shortenRun,
    rememberLivestream,
    isComing: coming,
    recheckPermission: recheckPermission({ directory, holds, clock }),
    deadlineMs,
    settleMs,
    ...(writeWithinMs !== undefined && { writeWithinMs })
  })
  const { auditTrail, reads } = broadcasts
  const ends = runEnding({
    ...context,
    ...limits,
    operations,
    auditEvents,
    upstreams,
    broadcasts,
    neverLiveMs
  })
  const retired = retiredMeetings({ ...context, runs, whatRuns: reads.whatRuns, orderStop: ends.stopRun })

  const pushing = push({ store, hub, directory, adopt, log, clock })
  const resources = tenantResources({
    ...context,
    ...broadcasts,
    upstreams,
    engine,
    livestreams,
    meetings,
    sessions,
    runs,
    rows: analyticsIn(store),
    directory,
    adopt,
    retired,
    sightings,
    rememberLivestream,
    rememberRuns,
    isComing: coming,
    settleMs,
    recheckSwitchPermission: recheckSwitchPermission({ directory, clock })
  })
  const webhooks = receivingWebhooks({
    ...context,
    upstreams,
    deliveries: takenWebhooksIn(store),
    counts: webhookCountsIn(store),
    ends,
    meetings,
    livestreams,
    directory,
    adopt,
    whatRuns: reads.whatRuns,
    refresh: resources.livestreams.refresh,
    makeKnown: resources.runs.makeKnown,
    ending: parts.ending
  })
  const { webhook, webhookSender } = webhooksOut({
    ...{ store, hub, onWorkLeft: directory.onWorkLeft, auditEvents, auditTrail, deadline, log, clock },
    ...parts.webhookWay,
    sealing: audited.keys.sealing,
    firstPauseMs: parts.config.webhookRetryMs,
    networks: parts.config.webhookNetworks
  })

  const routes: RouteServices = {
    auditEvents,
    ledger: runs,
    events: pushing.streams,
    liveWaits: pushing.liveWaits,
    webhooks,
    changeRun: changeRun({ ...limits, runs, auditTrail }),
    runUse: limits.runUse,
    readActive: reads.read,
    start: broadcasts.start,
    stop: broadcasts.stop,
    ...resources,
    webhook
  }
  const watch = new RunWatch({
    ...{ ...context, ...broadcasts, upstreams, runs, ledger, sightings, operations, meetings, livestreams, adopt },
    ...{ directory, hub, liveWaits: pushing.liveWaits, refresh: resources.livestreams.refresh, reconcileMs }
  })

  async function recall(): Promise<void> {
    // Stops of a moment ago must be known before anything is looked at.
    await broadcasts.recall()
    await takeOverRuns({ ledger, runs, operations, livestreams })
  }
  const stopping = { store, engine, upstreams, directory, runs, operations, meetings, livestreams, auditEvents }
  const stopOrders = stopOrderLoop({ ...context, ...broadcasts, ...stopping })
  return {
    routes,
    broadcasts,
    adopt,
    operations,
    runs,
    ledger,
    ends,
    push: pushing,
    watch,
    webhooks,
    webhookSender,
    stopOrders,
    recall
  }
}
