import t, { type Test } from 'tap'
import { Conflict, type Statement, writeIf } from '../../../src/store/engine/engine.ts'
import { countedOrders } from '../../../src/store/schema/steps/11-20/17-counted-orders.ts'
import { operationsIn } from '../../../src/store/tables/operations.ts'
import type { OrderedStop } from '../../../src/store/tables/runs/ordered-stops.ts'
import { type StopOrder, stopOrdersIn } from '../../../src/store/tables/runs/stop-orders.ts'
import { ledgerOf } from '../../support/ledger/ledger.ts'
import { refused, seen, sent } from '../../support/ledger/news.ts'
import { operationOf, refusalOf, storeWithTenants } from '../../support/store/helper.ts'

const order = {
  id: 'order 1',
  reason: 'operator',
  tenantId: null,
  operator: 'ada',
  requestId: 'request 1',
  createdAtMs: 1_000
} as const
const stop: OrderedStop = {
  orderId: order.id,
  tenantId: 'acme',
  upstream: 'default',
  place: 'm1',
  meetingId: 'm1',
  livestreamId: 'l1',
  runId: null
}
const found = { unasked: [], unowned: [] }

async function given(t: Test, stops: OrderedStop[] | null = null) {
  const { store } = await storeWithTenants(t)
  const { engine } = store
  const orders = stopOrdersIn(store)
  await engine.write(orders.give(order, stops))
  const one = (await orders.find(order.id)) as StopOrder
  return { engine, orders, operations: operationsIn(store), one }
}

t.test('an order is open until it is carried out, and says then what was found', async t => {
  const { engine, orders, one } = await given(t)
  t.strictSame(one, { ...order, listedAtMs: null, ...found, endedAtMs: null })
  t.strictSame(await orders.open(), [one])
  const unasked = [{ upstream: 'default', reason: 'it is down' }]
  const unowned = [{ upstream: 'default', meetingId: null, livestreamId: 'l9' }]
  await engine.write([orders.noted(one, { unasked, unowned }, 2_000), orders.ended(one, 3_000)])
  t.match(await orders.find(order.id), { listedAtMs: 2_000, unasked, unowned, endedAtMs: 3_000 })
  t.strictSame(await orders.open(), [])
  t.match(await refusalOf(engine.write([orders.noted(one, found, null)])), { constructor: Conflict })
  t.equal(await orders.find('order 2'), null)
})

t.test('a run is later than an order when it was committed later, whatever the clock says', async t => {
  const { store, ledger, engine } = await ledgerOf(t)
  const orders = stopOrdersIn(store)
  await ledger.note(sent(9_000, 'before'))
  // The clock is set back between the run and the order, and between the order and the next run.
  await engine.write(orders.give(order, null))
  await ledger.note({ ...sent(500, 'behind'), meetingId: 'm2' })
  await ledger.note({ ...seen(500, 'LIVE'), meetingId: 'm3' })
  await ledger.note({ ...sent(600, 'over'), meetingId: 'm4' })
  await ledger.note({ ...refused(700, 'over'), meetingId: 'm4' })
  const { runIds, operationIds } = await orders.laterRuns(order)
  const [found] = [...runIds].filter(id => id.startsWith('found'))
  t.strictSame([...runIds].sort(), [found, 'run of behind'].sort())
  t.strictSame([...operationIds], ['behind'])
  await engine.write(orders.give({ ...order, id: 'order 2' }, null))
  t.equal((await orders.laterRuns({ id: 'order 2' })).runIds.size, 0)
})

t.test('an order of an earlier version means the runs that began before it by the clock', async t => {
  const { store, ledger, engine } = await ledgerOf(t)
  const orders = stopOrdersIn(store)
  await engine.write(orders.give(order, null))
  for (const atMs of [999, 1_000, 1_001]) await ledger.note({ ...sent(atMs, String(atMs)), meetingId: `m${atMs}` })
  const [, fill] = countedOrders(store.sql)
  await engine.write([fill as Statement])
  t.strictSame([...(await orders.laterRuns(order)).operationIds], ['1001'])
})

t.test('one process at a time has an order: until its lease is over, or is taken from one that has ended', async t => {
  const { engine, orders } = await given(t)
  const take = (owner: string, nowMs: number) => writeIf(engine, [orders.take(order.id, owner, nowMs, 1_000)])
  t.equal(await take('one', 0), true)
  t.equal(await take('two', 1_000), false, 'the lease goes on')
  t.equal(await take('one', 1_000), true, 'and can be prolonged')
  t.equal(await take('two', 2_001), true, 'it is over')
  t.equal(await take('one', 2_002), false)
  await engine.write([orders.release()])
  t.equal(await take('one', 2_003), true, 'nobody has it')
})

t.test('an ordered stop is named once, and stands as its operation does', async t => {
  const { engine, orders, operations } = await given(t, [stop])
  await engine.write(
    orders.add([
      { ...stop, livestreamId: 'l2' },
      { ...stop, place: 'l3', meetingId: null, livestreamId: 'l3' }
    ])
  )
  const stands = async () => (await orders.stopsOf(order.id)).map(({ state, reason }) => [state, reason])
  t.match(await orders.stopsOf(order.id), [
    { meetingId: null, livestreamId: 'l3', operationId: null, state: 'waiting' },
    { ...stop, operationId: null, state: 'waiting', reason: null }
  ])
  const operation = operationOf('acme', { kind: 'stop', meetingId: 'm1', state: 'unknown', cause: 'operator' })
  await engine.write([orders.sent(stop, operation.id), operations.sent(operation)])
  t.equal((await operations.find(operation.id))?.cause, 'operator')
  t.match(await refusalOf(engine.write([orders.sent(stop, 'another')])), { constructor: Conflict })
  t.match(await refusalOf(engine.write([orders.closed(stop, 'left', 'no')])), { constructor: Conflict })
  await engine.write([operations.ended(operation.id, { state: 'unknown', reason: 'not now' }, 2_000)])
  t.strictSame((await stands())[1], ['sent', 'not now'], 'in the words of the vendor')
  await engine.write([operations.ended(operation.id, { state: 'done' }, 3_000)])
  t.strictSame((await stands())[1], ['stopped', null])
  await engine.write([
    orders.closed({ ...stop, place: 'l3', meetingId: null, livestreamId: 'l3' }, 'left', 'it has no meeting')
  ])
  t.strictSame((await stands())[0], ['left', 'it has no meeting'])
})

t.test('a stop that has failed leaves its run, and says why', async t => {
  const { engine, orders, operations } = await given(t, [stop])
  const operation = operationOf('acme', { kind: 'stop', meetingId: 'm1', state: 'unknown' })
  await engine.write([orders.sent(stop, operation.id), operations.sent(operation)])
  const error = { code: 502, type: 'upstream_refused', message: 'A later start has overtaken it', request_id: 'r' }
  const answer = { status: 502, body: { error } }
  await engine.write([operations.ended(operation.id, { state: 'failed', answer }, 2_000)])
  t.match(await orders.stopsOf(order.id), [{ state: 'left', reason: error.message }])
})

t.test('orders that have ended are removed when they are old, with their stops, and no others', async t => {
  const { engine, orders, one } = await given(t, [stop])
  await engine.write(orders.give({ ...order, id: 'order 2' }, [{ ...stop, orderId: 'order 2' }]))
  await engine.write([orders.ended(one, 5_000)])
  t.equal(await orders.removeEnded(5_000, 10), 0, 'not old enough')
  t.equal(await orders.removeEnded(5_001, 10), 1)
  t.equal(await orders.find(order.id), null)
  t.strictSame(await orders.stopsOf(order.id), [])
  t.match(await orders.open(), [{ id: 'order 2' }])
  t.equal((await orders.stopsOf('order 2')).length, 1)
})
