import type { UnstoredEvents } from './audit/unstored.ts'
import type { AuditedStore } from './audited-store/audited-store.ts'
import type { Config } from './config/config.ts'
import type { Observer } from './domain/observer.ts'
import type { Replicas } from './domain/replicas.ts'
import type { SharedChanges } from './domain/shared-changes.ts'
import type { Broadcasting } from './lifecycle/broadcast/broadcasting.ts'
import type { Context } from './lifecycle/context.ts'
import type { RunEnding } from './lifecycle/ends/ends.ts'
import type { FollowRuns } from './lifecycle/ledger/follow-runs.ts'
import type { OpenRuns, RunChanges } from './lifecycle/ledger/hub.ts'
import type { Ledger } from './lifecycle/ledger/ledger.ts'
import type { RunWatch } from './lifecycle/ledger/run-watch.ts'
import type { WriteBehind } from './lifecycle/operations/write-behind.ts'
import type { StopOrderLoop } from './lifecycle/orders/stop-order-loop.ts'
import type { Push } from './lifecycle/push/push.ts'
import type { Adopt } from './lifecycle/resources/adopt.ts'
import type { ReceivingWebhooks } from './lifecycle/webhooks-in/receiving.ts'
import type { PostOptions } from './lifecycle/webhooks-out/post.ts'
import type { WebhookSender } from './lifecycle/webhooks-out/sender.ts'
import type { Services as RouteServices } from './routes/index.ts'
import type { Directory } from './store/memory/directory.ts'
import type { Store } from './store/store.ts'
import type { Operations } from './store/tables/operations.ts'
import type { KnownParticipants } from './store/tables/participants.ts'
import type { BroadcastRuns } from './store/tables/runs/broadcast-runs.ts'
import type { Upstreams } from './upstream/provider.ts'

/** Parts that the services are made of. */
export interface Parts extends Pick<Context, 'tracing' | 'log' | 'clock'> {
  store: Store
  replicas: Replicas
  directory: Directory
  upstreams: Upstreams
  audited: AuditedStore
  writeBehind: WriteBehind
  unstored: UnstoredEvents
  config: Pick<
    Config,
    'deadlineMs' | 'settleMs' | 'readTtlMs' | 'neverLiveMs' | 'reconcileMs' | 'webhookRetryMs' | 'webhookNetworks'
  >
  /** Absent where there are no metrics. */
  observer?: Observer | undefined
  /** Where replicas tell each other of changes; null where there is one alone. */
  sharedChanges: SharedChanges | null
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
  participants: KnownParticipants
  ledger: Ledger
  /** Tells of runs that have moved. */
  hub: RunChanges
  /** Runs that go on, as memory has them. */
  openRuns: OpenRuns
  /** Ends runs on time. */
  ends: RunEnding
  push: Push
  /** Follows what other replicas write of runs, once it has begun. */
  followRuns: FollowRuns
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
