import type { FastifyBaseLogger } from 'fastify'
import type { ReadRollup } from './audit/rollup.ts'
import type { AuditedStore } from './audited-store.ts'
import type { Config } from './config.ts'
import type { Clock } from './domain/clock.ts'
import { isSwitch } from './domain/operation.ts'
import { findActive } from './lifecycle/active.ts'
import { activeReads } from './lifecycle/active-reads.ts'
import { adopter } from './lifecycle/adopt.ts'
import { tenantAnalytics } from './lifecycle/analytics.ts'
import { isComing } from './lifecycle/coming.ts'
import { deadlines } from './lifecycle/deadline.ts'
import { findStarted } from './lifecycle/evidence.ts'
import { livestreamChanges } from './lifecycle/livestream-changes.ts'
import { tenantLivestreams } from './lifecycle/livestreams.ts'
import { tenantMeetings } from './lifecycle/meetings.ts'
import { Motion } from './lifecycle/motion.ts'
import { observer } from './lifecycle/observe.ts'
import { runsObserver } from './lifecycle/observe-runs.ts'
import { OpenOperations } from './lifecycle/open-operations.ts'
import { recorder } from './lifecycle/recorded.ts'
import type { Repairs } from './lifecycle/repairs.ts'
import { tenantRuns } from './lifecycle/runs.ts'
import { settler } from './lifecycle/settle.ts'
import { switchSettler } from './lifecycle/settle-switch.ts'
import { Changes } from './lifecycle/shared-reads.ts'
import { tenantStage } from './lifecycle/stage.ts'
import { type Started, startOnce } from './lifecycle/start.ts'
import { stillAllowed, stillSwitches } from './lifecycle/still-allowed.ts'
import { type Stopped, stop } from './lifecycle/stop.ts'
import { analyticsIn } from './store/analytics.ts'
import type { Directory } from './store/directory.ts'
import { livestreamsIn } from './store/livestreams.ts'
import { meetingsIn } from './store/meetings.ts'
import { operationsIn } from './store/operations.ts'
import { sessionsIn } from './store/sessions.ts'
import type { Store } from './store/store.ts'
import type { Upstreams } from './upstream/provider.ts'

/** What the services are made of. */
export interface Parts {
  store: Store
  directory: Directory
  upstreams: Upstreams
  audited: AuditedStore
  rollup: ReadRollup
  repairs: Repairs
  config: Config
  logger: FastifyBaseLogger
  clock: Clock
  ending: AbortSignal
}

/** The services that routes are given, each made of what it needs and nothing else. */
export function services({
  store,
  directory,
  upstreams,
  audited,
  rollup,
  repairs,
  config,
  logger: log,
  clock,
  ending
}: Parts) {
  // Whatever decides over the life of an operation is written in order.
  const engine = { write: repairs.write.bind(repairs) }
  const { deadlineMs, settleMs, readTtlMs, corsOrigins, docs } = config
  const { deadline, bounded } = deadlines(deadlineMs, ending)
  const auditEvents = audited.events
  const operations = operationsIn(store)
  const livestreams = livestreamsIn(store, clock)
  const meetings = meetingsIn(store)

  const observe = observer({ livestreams, directory, log, clock })
  const sessions = sessionsIn(store)
  const observeRuns = runsObserver({ engine, sessions, log, clock })
  const adopt = adopter({ upstreams, meetings, directory, auditEvents, observe, clock, deadline })
  const coming = isComing({ livestreams, settleMs })
  const changes = new Changes()
  const reading = { changes, clock, deadline, bounded, readTtlMs }
  const look = findActive({ upstreams, livestreams, observe, isComing: coming })
  const active = activeReads({ ...reading, findActive: look })
  const forget = (id: string): void => directory.forget(id)
  const appendEvent = rollup.append.bind(rollup)
  const repair = repairs.add.bind(repairs)
  const late = repairs.behind.bind(repairs)
  const allowed = stillAllowed({ directory, clock })
  const motion = new Motion<Started, Stopped>()
  const shared = {
    ...{ upstreams, engine, operations, livestreams, auditEvents, motion, clock, deadline, bounded, deadlineMs },
    findActive: active.findActive,
    changed: active.changed,
    outdated: active.outdated
  }
  const settle = settler({
    ...shared,
    findStarted: findStarted({ upstreams, livestreams, findActive: active.findActive }),
    holds: async ({ tenantId, id }) => (await directory.meeting(tenantId, id)) !== null,
    forget
  })
  const lanes = new Motion<never, never>()
  const settleSwitch = switchSettler({
    ...shared,
    lanes,
    ownerOf: directory.livestream,
    changes,
    forget
  })
  const openOperations = new OpenOperations({
    settle: operation => (isSwitch(operation.kind) ? settleSwitch(operation) : settle(operation)),
    log,
    clock,
    settleMs
  })
  const settleLater = openOperations.add.bind(openOperations)
  const recorded = recorder({ ...shared, repair, late, settleLater, forget, log })
  const acting = {
    ...shared,
    settle,
    stillAllowed: allowed,
    recorded,
    log,
    settleMs
  }

  return {
    recorded,
    motion: { idle: () => Promise.all([motion.idle(), lanes.idle()]) },
    openOperations,
    operations,
    settleNow: openOperations.now.bind(openOperations),
    directory,
    auditEvents,
    appendEvent,
    adopt,
    fingerprint: audited.keys.fingerprint,
    readActive: active.read,
    start: startOnce(acting),
    stop: stop(acting),
    livestreams: tenantLivestreams({ ...acting, ...reading, observe, observeRuns, isComing: coming }),
    runs: tenantRuns({ ...acting, ...reading, directory, observe, observeRuns }),
    stage: tenantStage({ ...acting, ...reading, sessions }),
    analytics: tenantAnalytics({ ...acting, ...reading, rows: analyticsIn(store), sessions, observe }),
    livestreamChanges: livestreamChanges({
      ...acting,
      lanes,
      stillSwitches: stillSwitches({ directory, clock }),
      changes
    }),
    meetings: tenantMeetings({ ...acting, ...reading, meetings, directory, adopt }),
    clock,
    corsOrigins,
    docs,
    // A stop may wait for a start, each within its deadline, and for the store; what takes longer is stuck.
    handlerTimeoutMs: 3 * deadlineMs + 5_000
  }
}
