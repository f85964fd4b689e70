import t from 'tap'
import type { Operation } from '../../../src/domain/operation.ts'
import type { Run } from '../../../src/domain/runs/run.ts'
import { MeetingQueue } from '../../../src/lifecycle/broadcast/meeting-queue.ts'
import { recordStop } from '../../../src/lifecycle/orders/record-stop.ts'
import { auditEventsIn } from '../../../src/store/tables/audit/audit-events.ts'
import { operationsIn } from '../../../src/store/tables/operations.ts'
import type { OrderedStop } from '../../../src/store/tables/runs/ordered-stops.ts'
import { type StopOrder, stopOrdersIn } from '../../../src/store/tables/runs/stop-orders.ts'
import type { Upstreams } from '../../../src/upstream/provider.ts'
import { manualClock } from '../../support/clock.ts'
import { storeWithTenants } from '../../support/store/helper.ts'

t.test('a stop is recorded once, as of the order, and not for what is over or can not be stopped', async t => {
  const { store } = await storeWithTenants(t)
  const orders = stopOrdersIn(store)
  const clock = manualClock()
  const repeated: { operation: Operation; sentAtMs: number }[] = []
  const queue = new MeetingQueue<unknown, unknown>(clock)
  const record = recordStop({
    ...{
      engine: store.engine,
      orders,
      operations: operationsIn(store),
      auditEvents: auditEventsIn(store),
      clock,
      queue
    },
    runs: {
      find: async (_tenant, id) =>
        ({ endedAtMs: id === 'live' ? null : 1, livestreamId: id === 'nothing' ? null : 'l1' }) as Run
    },
    upstreams: new Map([['default', {}]]) as unknown as Upstreams,
    repeat: (operation, sentAtMs) => void repeated.push({ operation, sentAtMs })
  })
  const given = { id: 'order 1', reason: 'operator', tenantId: null, operator: 'ada', requestId: 'request 1' } as const
  const stopOf = (place: string, more: Partial<OrderedStop> = {}): OrderedStop => {
    const at = { upstream: 'default', place, meetingId: place, livestreamId: null }
    return { orderId: given.id, tenantId: 'acme', runId: null, ...at, ...more }
  }
  const goesOn = stopOf('m1', { runId: 'live' })
  const queued = stopOf('m2')
  const others = [
    stopOf('m3', { runId: 'over' }),
    stopOf('m6', { runId: 'nothing' }),
    stopOf('m4', { upstream: 'gone' }),
    stopOf('l5', { meetingId: null, livestreamId: 'l5' })
  ]
  await store.engine.write(orders.give({ ...given, createdAtMs: clock.now() }, [goesOn, queued, ...others]))
  const order = (await orders.find(given.id)) as StopOrder
  clock.advance(30_000)

  for (const stop of [goesOn, goesOn, ...others]) await record(order, stop)
  const turn = Promise.withResolvers<void>()
  const start = queue.inTurn('default/m2', () => turn.promise)
  const waiting = record(order, queued)
  turn.resolve()
  await Promise.all([start, waiting])

  const now = clock.now()
  t.match(
    repeated.map(({ operation, sentAtMs }) => [operation.meetingId, operation.sentAtMs, sentAtMs]),
    [
      ['m1', now - 30_000, 0],
      ['m6', now - 30_000, 0],
      ['m2', now, 30_000]
    ],
    'a run of a start that held the turn may have begun since the order was given'
  )
  t.match(repeated[0]?.operation, { cause: 'operator', requestId: 'request 1', keyId: 'operator', runId: 'live' })
  t.strictSame(
    Object.fromEntries((await orders.stopsOf(order.id)).map(({ place, state, reason }) => [place, [state, reason]])),
    {
      l5: ['left', 'it has no meeting, so the provider has no stop for it: disable it'],
      m1: ['sent', null],
      m2: ['sent', null],
      m3: ['stopped', 'it was over before its stop was sent'],
      m4: ['left', 'the upstream gone is not configured'],
      m6: ['sent', null]
    }
  )
})
