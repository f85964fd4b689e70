import { randomUUID } from 'node:crypto'
import type { AuditEvent } from '../../../src/domain/audit/audit-event.ts'
import type { LivestreamWithKey } from '../../../src/domain/livestream.ts'
import type { Operation, OperationKind } from '../../../src/domain/operation.ts'
import { onlyReplica } from '../../../src/domain/replicas.ts'
import { MeetingQueue } from '../../../src/lifecycle/broadcast/meeting-queue.ts'
import { sendStop } from '../../../src/lifecycle/broadcast/send-stop.ts'
import { StopPace } from '../../../src/lifecycle/broadcast/stop-pace.ts'
import { FruitlessStops, StopRights } from '../../../src/lifecycle/broadcast/stop-rights.ts'
import { broadcastEnds } from '../../../src/lifecycle/operations/broadcast-ends.ts'
import { operationEnds } from '../../../src/lifecycle/operations/operation-ends.ts'
import { Ownership } from '../../../src/lifecycle/operations/ownership.ts'
import { reconciler } from '../../../src/lifecycle/operations/reconcile.ts'
import { startReconciler } from '../../../src/lifecycle/operations/reconcile-start.ts'
import { stopReconciler } from '../../../src/lifecycle/operations/reconcile-stop.ts'
import { OwnStarts } from '../../../src/lifecycle/running/own-actions.ts'
import type { LookHow } from '../../../src/lifecycle/running/sight.ts'
import { auditEventsIn } from '../../../src/store/tables/audit/audit-events.ts'
import { livestreamsIn } from '../../../src/store/tables/livestreams.ts'
import { meetingsIn } from '../../../src/store/tables/meetings.ts'
import { type OperationEnd, operationsIn } from '../../../src/store/tables/operations.ts'
import { broadcastRunsIn } from '../../../src/store/tables/runs/broadcast-runs.ts'
import { passingOn } from '../../../src/tracing/tracing.ts'
import type { Errand, LivestreamWithSessions, Provider, Upstreams } from '../../../src/upstream/provider.ts'
import { type ManualClock, manualClock } from '../clock.ts'
import { endingRunsOf } from '../ending-runs.ts'
import { ledgerIn } from '../ledger/ledger.ts'
import { operationOf, storeWithTenants } from '../store/helper.ts'

export const deadlineMs = 10_000
export const meetingId = 'm1'

/** The vendor's next answers, and what it was asked. A question throws while there is `trouble`. */
export interface Vendor {
  trouble: Error | null
  /** The run that is found of a start whose answer was lost. */
  started: LivestreamWithKey | 'unclear' | null
  active: LivestreamWithKey | null
  /** The livestream with its runs, asked for by its id. */
  byId: LivestreamWithSessions | null
  /** Its clock, as far as it tells. */
  nowMs: number | null
  /** The answer to a stop: something was stopped. */
  stops: boolean
  /** Whether the meeting is still the tenant's. */
  holds: boolean
  /** Hooks in before a stop is answered. */
  beforeStop(): Promise<void>
  asked: string[]
  /** Calls that each question costs; none while quota or breaker hold them back. */
  calls: number
}

export type TestContext = Parameters<typeof storeWithTenants>[0]

/** A reconciler over a real store, between a vendor and a clock that the test holds. */
export async function reconciling(t: TestContext) {
  const { store } = await storeWithTenants(t)
  const clock = manualClock()
  const operations = operationsIn(store)
  const livestreams = livestreamsIn(store)
  const queue = new MeetingQueue<string, string>(clock)
  const vendor: Vendor = {
    trouble: null,
    started: null,
    active: null,
    byId: null,
    nowMs: null,
    stops: true,
    holds: true,
    beforeStop: async () => {},
    asked: [],
    calls: 1
  }
  await meetingsIn(store).assign('acme', 'default', [meetingId], clock.now())

  function ask<T>(what: string, answer: () => T, onSent?: () => void): T {
    vendor.asked.push(what)
    for (let i = 0; i < vendor.calls; i++) onSent?.()
    if (vendor.trouble !== null) throw vendor.trouble
    return answer()
  }
  const on = ({ onSent }: Errand): Partial<Provider> => ({
    findLivestream: async () => vendor.byId,
    async stop(id) {
      await vendor.beforeStop()
      return ask(`stop ${id}`, () => ({ stopped: vendor.stops, dateMs: null }), onSent)
    }
  })
  const forgotten: string[] = []
  const status = () => ({ budget: { quota: 2_000, windowMs: 60_000 } })
  const ownStarts = new OwnStarts(clock, 30_000)
  const paceOf = () => new StopPace({ ownStarts, heardAtMs: new Map(), clock })
  const pace = paceOf()
  const upstreams = new Map([['default', { on, status, vendorNowMs: () => vendor.nowMs }]]) as unknown as Upstreams

  const fruitlessStops = new FruitlessStops({ livestreams, ownStarts, clock })
  const rights = new StopRights({ upstreams, fruitlessStops, clock })

  const endingRuns = endingRunsOf(clock)

  /** As in a gateway; each remembers for itself. */
  function another(pace = paceOf(), endingRuns = endingRunsOf(clock)) {
    const deps = {
      ...{ engine: store.engine, operations, livestreams, auditEvents: auditEventsIn(store), upstreams, queue, clock },
      changed() {},
      outdated() {},
      forget: (id: string) => forgotten.push(id),
      whatRuns: async ({ id }: { id: string }, _priority: unknown, _signal: unknown, { onSent }: LookHow = {}) => {
        const livestream = ask(`active ${id}`, () => vendor.active, onSent)
        return { livestream, isNobodys: false, isEnding: false, isUnclear: false, isWeak: false }
      },
      async findStarted({ id }: { id: string }) {
        const started = ask(`started ${id}`, () => vendor.started)
        return started === null || started === 'unclear' ? started : { livestream: started, isNobodys: false }
      },
      holds: async () => vendor.holds,
      deadline: () => AbortSignal.timeout(60_000),
      deadlineMs,
      settleMs: 30_000,
      pace,
      rights,
      endingRuns,
      ownStarts,
      ledger: ledgerIn(store, clock),
      sightings: { seen: async () => {} },
      runs: broadcastRunsIn(store)
    }
    const ends = operationEnds(deps)
    const ofBroadcasts = broadcastEnds({ ...deps, ends })
    const start = startReconciler({ ...deps, ends: ofBroadcasts })
    const stop = stopReconciler({ ...deps, ends: ofBroadcasts, send: sendStop(deps) })
    const switched = async (): Promise<never> => {
      throw new Error('no livestream is enabled or disabled here, and nobody is added')
    }
    const participant = Object.assign(switched, { note() {} })
    return {
      ends: ofBroadcasts,
      reconcile: reconciler({
        ends,
        ownership: new Ownership(onlyReplica),
        start,
        stop,
        switched,
        participant,
        tracing: passingOn
      })
    }
  }

  const { reconcile, ends } = another(pace, endingRuns)

  return {
    store,
    clock,
    operations,
    livestreams,
    queue,
    vendor,
    forgotten,
    pace,
    rights,
    fruitlessStops,
    endingRuns,
    ownStarts,
    reconcile,
    ends,
    /** Another gateway's, or that of the same one after a restart: it remembers nothing. */
    another: () => another().reconcile,
    /** One that was sent now and whose outcome is unknown, unless said otherwise. */
    async sent(kind: OperationKind, how: Partial<Operation> = {}, end: OperationEnd | null = { state: 'unknown' }) {
      const operation = sentOperation(kind, clock, how)
      await store.engine.write([operations.sent(operation)])
      if (end !== null) await store.engine.write([operations.ended(operation.id, end, clock.now())])
      if (end?.state === 'unknown') reconcile.note(operation, clock.monotonic())
      return operation
    },
    async events(): Promise<AuditEvent[]> {
      const query = store.sql.selectFrom('audit_events').select('event').orderBy('seq')
      return (await store.engine.read(query.compile())).map(({ event }) => JSON.parse(event))
    }
  }
}

/** An operation of this meeting that is sent now. */
export function sentOperation(kind: OperationKind, clock: ManualClock, how: Partial<Operation> = {}): Operation {
  return operationOf('acme', { kind, meetingId, sentAtMs: clock.now(), ...how })
}

/** A run as the vendor shows it, with a stream key that is made here. */
export function runOf(id: string, how: Partial<LivestreamWithKey> = {}): LivestreamWithKey {
  return { id, status: 'LIVE', meeting_id: meetingId, stream_key: `key-${randomUUID()}`, ...how }
}
