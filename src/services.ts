import type { FastifyBaseLogger } from 'fastify'
import type { ReadRollup } from './audit/rollup.ts'
import type { UnstoredEvents } from './audit/unstored.ts'
import type { AuditedStore } from './audited-store/audited-store.ts'
import type { Config } from './config/config.ts'
import type { Clock } from './domain/values/clock.ts'
import { broadcasting } from './lifecycle/broadcast/broadcasting.ts'
import { holder } from './lifecycle/operations/holds.ts'
import { recheckPermission, recheckSwitchPermission } from './lifecycle/operations/recheck-permission.ts'
import type { WriteBehind } from './lifecycle/operations/write-behind.ts'
import { deadlines } from './lifecycle/reads/deadline.ts'
import { Changes } from './lifecycle/reads/shared-reads.ts'
import { adopter } from './lifecycle/resources/adopt.ts'
import { tenantAnalytics } from './lifecycle/resources/analytics.ts'
import { livestreamChanges } from './lifecycle/resources/livestream-changes.ts'
import { tenantLivestreams } from './lifecycle/resources/livestreams.ts'
import { tenantMeetings } from './lifecycle/resources/meetings.ts'
import { rememberLivestreamIn } from './lifecycle/resources/remember-livestream.ts'
import { rememberRunsIn } from './lifecycle/resources/remember-runs.ts'
import { tenantRuns } from './lifecycle/resources/runs.ts'
import { tenantStage } from './lifecycle/resources/stage.ts'
import { isComing } from './lifecycle/running/is-coming.ts'
import type { Directory } from './store/memory/directory.ts'
import type { Store } from './store/store.ts'
import { analyticsIn } from './store/tables/analytics.ts'
import { livestreamsIn } from './store/tables/livestreams.ts'
import { meetingsIn } from './store/tables/meetings.ts'
import { misplacedIn } from './store/tables/misplaced.ts'
import { operationsIn } from './store/tables/operations.ts'
import { sessionsIn } from './store/tables/sessions.ts'
import type { Upstreams } from './upstream/provider.ts'

/** What the services are made of. */
export interface Parts {
  store: Store
  directory: Directory
  upstreams: Upstreams
  audited: AuditedStore
  rollup: ReadRollup
  writeBehind: WriteBehind
  unstored: UnstoredEvents
  config: Config
  logger: FastifyBaseLogger
  clock: Clock
  ending: AbortSignal
  /** Else the recorder's own. */
  writeWithinMs?: number
}

/** The services that routes are given, each made of what it needs and nothing else. */
export function services({
  store,
  directory,
  upstreams,
  audited,
  rollup,
  writeBehind,
  unstored,
  config,
  logger: log,
  clock,
  ending,
  ...recording
}: Parts) {
  // Whatever decides over the life of an operation is written in order.
  const engine = { write: writeBehind.write.bind(writeBehind) }
  const { deadlineMs, settleMs, readTtlMs, corsOrigins, docs } = config
  const { deadline, bounded, limitTime } = deadlines(deadlineMs, ending)
  const auditEvents = audited.events
  const operations = operationsIn(store)
  const livestreams = livestreamsIn(store, clock)
  const meetings = meetingsIn(store)

  const rememberLivestream = rememberLivestreamIn({ livestreams, directory, log, clock })
  const sessions = sessionsIn(store)
  const rememberRuns = rememberRunsIn({ engine, sessions, log, clock })
  const holds = holder({ directory, meetings, upstreams })
  const adopt = adopter({ upstreams, meetings, holds, directory, auditEvents, rememberLivestream, clock, deadline })
  const coming = isComing({ livestreams, settleMs })
  const changes = new Changes()
  const reading = { changes, clock, deadline, bounded, readTtlMs }
  const appendEvent = rollup.append.bind(rollup)
  const broadcasts = broadcasting({
    ...reading,
    limitTime,
    ...{
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
      rememberLivestream,
      log
    },
    isComing: coming,
    recheckPermission: recheckPermission({ directory, holds, clock }),
    deadlineMs,
    settleMs,
    ...recording
  })
  const { auditTrail, reconcileLoop, switches, endingRuns, begunRuns, knownMeetings } = broadcasts
  const acting = { upstreams, engine, livestreams, knownMeetings, directory, auditTrail, log, settleMs }

  return {
    auditTrail,
    broadcasts,
    reconcileLoop,
    operations,
    reconcileNow: reconcileLoop.now.bind(reconcileLoop),
    directory,
    auditEvents,
    appendEvent,
    adopt,
    fingerprint: audited.keys.fingerprint,
    readActive: broadcasts.reads.read,
    start: broadcasts.start,
    stop: broadcasts.stop,
    livestreams: tenantLivestreams({
      ...acting,
      ...reading,
      rememberLivestream,
      rememberRuns,
      isComing: coming,
      endingRuns,
      begunRuns
    }),
    runs: tenantRuns({ ...acting, ...reading, rememberLivestream, rememberRuns, endingRuns }),
    stage: tenantStage({ ...acting, ...reading, sessions }),
    analytics: tenantAnalytics({
      ...acting,
      ...reading,
      rows: analyticsIn(store),
      sessions,
      rememberLivestream,
      endingRuns
    }),
    livestreamChanges: livestreamChanges({
      ...acting,
      ...reading,
      queue: switches,
      recheckSwitchPermission: recheckSwitchPermission({ directory, clock })
    }),
    meetings: tenantMeetings({ ...acting, ...reading, meetings, adopt }),
    clock,
    corsOrigins,
    docs,
    // A stop may wait for a start and for the stop before it, each within its deadline, and for its pause; what takes longer is stuck.
    handlerTimeoutMs: 3 * deadlineMs + 10_000
  }
}
