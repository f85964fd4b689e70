import { randomUUID } from 'node:crypto'
import { holder, recheckPermission } from './lifecycle/broadcast/before-sending.ts'
import { broadcasting } from './lifecycle/broadcast/broadcasting.ts'
import { Changes, type Context, deadlines } from './lifecycle/context.ts'
import { changeRun } from './lifecycle/ends/change-run.ts'
import { runEnding } from './lifecycle/ends/ends.ts'
import { limiting } from './lifecycle/ends/limits.ts'
import { retiredMeetings } from './lifecycle/ends/retired-meetings.ts'
import { rotateKey } from './lifecycle/keys/rotate-key.ts'
import { enderOf } from './lifecycle/ledger/ender-of.ts'
import { FollowRuns } from './lifecycle/ledger/follow-runs.ts'
import { RunHub } from './lifecycle/ledger/hub.ts'
import { Ledger } from './lifecycle/ledger/ledger.ts'
import { observedEnds } from './lifecycle/ledger/observed.ts'
import { RunWatch } from './lifecycle/ledger/run-watch.ts'
import { takeOverRuns } from './lifecycle/ledger/runs-at-start.ts'
import { sightingsIn } from './lifecycle/ledger/sightings.ts'
import { stopOrderLoop } from './lifecycle/orders/stop-orders.ts'
import { participantMemory } from './lifecycle/participants/memory.ts'
import { push } from './lifecycle/push/push.ts'
import { toldFirst } from './lifecycle/reads/told-first.ts'
import { adopter } from './lifecycle/resources/adopt.ts'
import { recheckSwitchPermission } from './lifecycle/resources/livestream-changes.ts'
import { tenantResources } from './lifecycle/resources/of-tenants.ts'
import { rememberLivestreamIn, rememberRunsIn } from './lifecycle/resources/remember.ts'
import { isComing } from './lifecycle/running/is-coming.ts'
import { receivingWebhooks } from './lifecycle/webhooks-in/receiving.ts'
import { webhooksOut } from './lifecycle/webhooks-out/webhooks-out.ts'
import type { Parts, Services } from './parts.ts'
import type { Services as RouteServices } from './routes/index.ts'
import { analyticsIn } from './store/tables/analytics.ts'
import { apiKeysIn } from './store/tables/api-keys.ts'
import { livestreamsIn } from './store/tables/livestreams.ts'
import { meetingsIn } from './store/tables/meetings.ts'
import { misplacedIn } from './store/tables/misplaced.ts'
import { operationsIn } from './store/tables/operations.ts'
import { participantsIn } from './store/tables/participants.ts'
import { broadcastRunsIn } from './store/tables/runs/broadcast-runs.ts'
import { runEventsIn } from './store/tables/runs/run-events.ts'
import { sessionsIn } from './store/tables/sessions.ts'
import { webhookCountsIn } from './store/tables/webhooks-in/counts.ts'
import { takenWebhooksIn } from './store/tables/webhooks-in/taken-webhooks.ts'

/** Puts the services together: each gets the context of all requests and, by name, what else it needs. */
export function services(parts: Parts): Services {
  const {
    store,
    replicas,
    directory,
    upstreams,
    audited,
    writeBehind,
    unstored,
    log,
    clock,
    observer,
    tracing,
    writeWithinMs
  } = parts
  const { deadlineMs, settleMs, readTtlMs, neverLiveMs, reconcileMs } = parts.config
  const time = deadlines(deadlineMs, parts.ending)
  const changes = new Changes(parts.sharedChanges)
  const context: Context = { clock, log, observer, tracing, replicas, ...time, changes, readTtlMs }
  const { deadline } = context
  const auditEvents = audited.events
  // Writes that decide over the life of an operation keep their order.
  const engine = { write: writeBehind.write.bind(writeBehind) }

  const operations = operationsIn(store)
  const livestreams = livestreamsIn(store, clock)
  const meetings = meetingsIn(store)
  const sessions = sessionsIn(store)
  const participants = participantsIn(store)
  const hub = new RunHub(log)
  observedEnds(hub, observer)

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

  const { fingerprint } = audited.keys
  const joining = participantMemory({ ...context, upstreams, engine, participants, fingerprint })

  const recheck = recheckPermission({ directory, holds, clock })
  const broadcasts = broadcasting({
    ...context,
    ...joining,
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
    recheckPermission: recheck,
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
    ...joining,
    operations,
    participants,
    recheckPermission: recheck,
    reconcileNow: id => broadcasts.reconcileLoop.now(id),
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
    ...{
      store,
      hub,
      onWorkLeft: directory.onWorkLeft,
      auditEvents,
      auditTrail,
      deadline,
      log,
      clock,
      observer,
      replicas
    },
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
    ...toldFirst(changes, broadcasts),
    ...resources,
    webhook,
    rotateKey: rotateKey({ keys: apiKeysIn(store), directory, auditTrail, clock })
  }
  const watch = new RunWatch({
    ...{ ...context, ...broadcasts, upstreams, runs, ledger, sightings, operations, meetings, livestreams, adopt },
    ...{ directory, hub, liveWaits: pushing.liveWaits, refresh: resources.livestreams.refresh, reconcileMs }
  })

  const followRuns = new FollowRuns({
    ...{ events: runEventsIn(store), runs, hub, log },
    heard: async ({ meetingId: id, upstream }) => id !== null && broadcasts.recallOthers({ id, upstream })
  })

  async function recall(): Promise<void> {
    // Stops of a moment ago must be known before anything is looked at.
    await broadcasts.recall()
    if (!replicas.isOnly) await followRuns.begin()
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
    participants,
    ledger,
    hub,
    openRuns: limits.openRuns,
    ends,
    push: pushing,
    watch,
    webhooks,
    webhookSender,
    stopOrders,
    followRuns,
    recall
  }
}
