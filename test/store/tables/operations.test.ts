import t from 'tap'
import type { Operation } from '../../../src/domain/operation.ts'
import { Conflict, UniqueViolation } from '../../../src/store/engine/engine.ts'
import { operationsIn } from '../../../src/store/tables/operations.ts'
import { operationOf, refusalOf, storeWithTenants } from '../../support/store/helper.ts'

/** Without its owner, which stands in PostgreSQL alone (`test/replicas`). */
const unowned = (row: Operation | null) => row && { ...row, owner: null }

async function world(t: Parameters<typeof storeWithTenants>[0]) {
  const { store } = await storeWithTenants(t)
  const operations = operationsIn(store)
  const send = (...sent: ReturnType<typeof operationOf>[]) => store.engine.write(sent.map(operations.sent))
  const end = (...args: Parameters<typeof operations.ended>) => store.engine.write([operations.ended(...args)])
  const all = () => store.engine.read(store.sql.selectFrom('operations').selectAll().orderBy('id').compile())
  return { operations, send, end, all, store }
}

t.test('a meeting has one open start at most, whoever asks', async t => {
  const { operations, send, end } = await world(t)
  const first = operationOf('acme')
  await send(first)
  t.strictSame(unowned(await operations.openStart('m1')), first)
  t.match(await refusalOf(send(operationOf('acme'))), { constructor: UniqueViolation })
  t.match(await refusalOf(send(operationOf('globex'))), { constructor: UniqueViolation })
  await end(first.id, { state: 'unknown' }, 2_000)
  t.match(
    await refusalOf(send(operationOf('acme'))),
    { constructor: UniqueViolation },
    'also while its outcome is unknown'
  )
  t.match(await operations.openStart('m1'), { id: first.id, state: 'unknown', settledAtMs: null })
})

t.test('other meetings and other mutations are not held up by an open start', async t => {
  const { operations, send } = await world(t)
  await send(operationOf('acme'))
  await send(operationOf('acme', { meetingId: 'm2' }))
  await send(operationOf('acme', { kind: 'stop' }), operationOf('acme', { kind: 'stop' }))
  await send(
    operationOf('acme', { kind: 'create_meeting', meetingId: null }),
    operationOf('acme', { kind: 'create_meeting', meetingId: null })
  )
  t.strictSame((await operations.meetingsWithOpenStart()).sort(), ['m1', 'm2'])
  t.equal(await operations.openStart('m3'), null)
})

t.test('a settled start frees its meeting, done or failed', async t => {
  const { operations, send, end } = await world(t)
  for (const state of ['done', 'failed'] as const) {
    const start = operationOf('acme')
    await send(start)
    await end(start.id, { state }, 2_000)
    t.equal(await operations.openStart('m1'), null)
  }
  t.strictSame(await operations.meetingsWithOpenStart(), [])
  await send(operationOf('globex'))
  t.match(await operations.openStart('m1'), { tenantId: 'globex' })
})

t.test('a settled operation stays as it is, whatever comes late', async t => {
  const { send, end, all } = await world(t)
  const start = operationOf('acme')
  await send(start)
  await end(start.id, { state: 'done', livestreamId: 'a1' }, 2_000)
  for (const late of ['failed', 'unknown', 'done'] as const)
    await end(start.id, { state: late, livestreamId: 'b2' }, 3_000)
  t.match(await all(), [{ state: 'done', livestream_id: 'a1', settled_at: 2_000 }])
})

t.test('an unknown outcome can be settled, and keeps the livestream that was known', async t => {
  const { send, end, all } = await world(t)
  const start = operationOf('acme')
  await send(start)
  await end(start.id, { state: 'unknown', livestreamId: 'a1' }, 2_000)
  t.match(await all(), [{ state: 'unknown', livestream_id: 'a1', settled_at: null }])
  await end(start.id, { state: 'done' }, 3_000)
  t.match(await all(), [{ state: 'done', livestream_id: 'a1', settled_at: 3_000 }])
})

t.test('open operations are found as they were written, with those under way when a process ended', async t => {
  const { operations, send, end } = await world(t)
  const left = operationOf('acme', { livestreamId: 'a1', requestId: 'r7' })
  const unknown = operationOf('acme', { kind: 'stop', sentAtMs: 2_000, openStartId: left.id })
  const done = operationOf('acme', { kind: 'update_meeting' })
  await send(left, unknown, done)
  await end(unknown.id, { state: 'unknown' }, 2_000)
  await end(done.id, { state: 'done' }, 2_000)
  t.strictSame((await operations.unsettled()).map(unowned), [left, { ...unknown, state: 'unknown' }])
  t.strictSame(
    (await operations.list({ open: true, limit: 10 })).map(({ id }) => id),
    [unknown.id, left.id]
  )
  t.equal((await operations.list({ limit: 1 })).length, 1)
  t.strictSame(await operations.list({ tenantId: 'globex', limit: 10 }), [])
  t.strictSame((await operations.unconfirmedStops({ id: 'm1', upstream: 'default' })).map(unowned), [
    { ...unknown, state: 'unknown' }
  ])
})

t.test(
  'an operation is found by its key with the answer that is kept for it; one that executed nothing gives the key back',
  async t => {
    const { operations, send, end } = await world(t)
    const idempotency = { keyFingerprint: 'k1', requestFingerprint: 'q1' }
    const first = operationOf('acme', { kind: 'stop', idempotency })
    await send(first)
    t.strictSame(unowned(await operations.findByKey('k1')), first)
    t.match(await refusalOf(send(operationOf('globex', { kind: 'stop', idempotency }))), {
      constructor: UniqueViolation
    })
    await end(first.id, { state: 'failed', freesKey: true }, 2_000)
    t.equal(await operations.findByKey('k1'), null)
    const second = operationOf('acme', { kind: 'stop', idempotency })
    await send(second)
    const answer = { status: 200, body: { data: { message: 'ok' } } }
    await end(second.id, { state: 'done', answer }, 3_000)
    t.match(await operations.findByKey('k1'), { id: second.id, state: 'done', answer })
  }
)

t.test('a later start counts unless it failed, and it is later whatever its time says', async t => {
  const { operations, send, end } = await world(t)
  const earlier = operationOf('acme', { sentAtMs: 9_000 })
  const stop = operationOf('acme', { kind: 'stop', sentAtMs: 8_000 })
  const elsewhere = operationOf('acme', { kind: 'stop', meetingId: 'm2', sentAtMs: 8_000 })
  await send(earlier)
  await end(earlier.id, { state: 'done' }, 9_500)
  await send(stop, elsewhere)
  t.equal(await operations.laterStart(stop), null, 'the one before it has a later time')
  const later = operationOf('acme', { sentAtMs: 1_000 })
  t.equal(await operations.laterStart(later), null, 'it is not there yet')
  await send(later)
  t.equal(await operations.laterStart(stop), 'open', 'the one after it has an earlier time')
  t.equal(await operations.laterStart(elsewhere), null)
  t.equal(await operations.laterStart(later), null, 'nothing comes after itself')
  await end(later.id, { state: 'failed' }, 1_500)
  t.equal(await operations.laterStart(stop), null)
  const last = operationOf('acme', { sentAtMs: 2_000 })
  await send(last)
  await end(last.id, { state: 'done' }, 2_500)
  await send(operationOf('acme', { sentAtMs: 3_000 }))
  t.equal(await operations.laterStart(stop), 'done', 'whatever comes after that one')
})

t.test('an operation that was answered without being sent comes after nothing', async t => {
  const { operations, send } = await world(t)
  const stop = operationOf('acme', { kind: 'stop' })
  await send(stop)
  const idempotency = { keyFingerprint: 'k1', requestFingerprint: 'q1' }
  const answer = { status: 200, body: { data: {} } }
  await send(operationOf('acme', { state: 'done', settledAtMs: 1_000, idempotency, answer }))
  t.equal(await operations.laterStart(stop), null)
})

t.test('one that is written down as unknown has its place: it is sent from then on', async t => {
  const { operations, send, end } = await world(t)
  const start = operationOf('acme')
  const again = operationOf('acme', { kind: 'stop', state: 'unknown' })
  await send(start, again)
  t.match(await operations.find(again.id), { openStartId: start.id })
  t.equal(await operations.laterStart(again), null)
  await end(start.id, { state: 'failed' }, 2_000)
  const later = operationOf('acme')
  await send(later)
  t.equal(await operations.laterStart(again), 'open')
})

t.test('the order has no hole for what was removed, and nothing comes before what is open', async t => {
  const { operations, send, end } = await world(t)
  const stop = operationOf('acme', { kind: 'stop' })
  const settled = operationOf('acme', { meetingId: 'm2' })
  await send(stop, settled)
  await end(settled.id, { state: 'done' }, 2_000)
  t.equal(await operations.removeSettled(3_000, 10), 1)
  await send(operationOf('acme'))
  t.equal(await operations.laterStart(stop), 'open')
})

t.test(
  'a stop knows the start that was open when it was written down, whatever became of it but a failure',
  async t => {
    const { operations, send, end } = await world(t)
    const start = operationOf('acme', { sentAtMs: 9_000 })
    const during = operationOf('acme', { kind: 'stop', sentAtMs: 1_000 })
    await send(start, operationOf('acme', { meetingId: 'm2' }))
    await send(during)
    t.equal((await operations.find(during.id))?.openStartId, start.id)
    t.ok(await operations.hadOpenStart(during))
    await end(start.id, { state: 'done' }, 500)
    const after = operationOf('acme', { kind: 'stop', sentAtMs: 2_000 })
    await send(after)
    t.ok(await operations.hadOpenStart(during), 'it has begun something')
    t.notOk(await operations.hadOpenStart(after))
    t.equal((await operations.find(after.id))?.openStartId, null)
    t.equal((await operations.find(start.id))?.openStartId, null)

    const failing = operationOf('acme')
    const [one, other] = [operationOf('acme', { kind: 'stop' }), operationOf('acme', { kind: 'stop' })]
    await send(failing, one)
    await end(failing.id, { state: 'unknown' }, 500)
    await send(other)
    t.ok((await operations.hadOpenStart(one)) && (await operations.hadOpenStart(other)))
    await end(failing.id, { state: 'failed' }, 600)
    t.notOk((await operations.hadOpenStart(one)) || (await operations.hadOpenStart(other)))
  }
)

t.test('unconfirmed stops come in their order, and so does a later switch, whatever their times', async t => {
  const { operations, send, end } = await world(t)
  const stops = [3_000, 1_000, 2_000].map(sentAtMs => operationOf('acme', { kind: 'stop', sentAtMs }))
  for (const stop of stops) {
    await send(stop)
    await end(stop.id, { state: 'unknown' }, 4_000)
  }
  t.strictSame(
    (await operations.unconfirmedStops({ id: 'm1', upstream: 'default' })).map(({ id }) => id),
    stops.map(({ id }) => id)
  )
  const enable = operationOf('acme', { kind: 'enable_livestream', livestreamId: 'l1', sentAtMs: 9_000 })
  const disable = operationOf('acme', { kind: 'disable_livestream', livestreamId: 'l1', sentAtMs: 1_000 })
  await send(enable, disable)
  t.match(await operations.laterSwitch(enable), { id: disable.id })
  t.equal(await operations.laterSwitch(disable), null)
})

t.test('operations at another vendor account come neither before nor after, and are not ended with them', async t => {
  const { operations, send, end } = await world(t)
  const at = (upstream: string, kind: 'start' | 'stop') => operationOf('acme', { kind, upstream, vendorAtMs: 1_000 })
  const stop = at('default', 'stop')
  const later = at('other', 'start')
  await send(stop, later)
  await end(stop.id, { state: 'unknown' }, 2_000)
  await end(later.id, { state: 'done' }, 2_000)
  t.equal(await operations.laterStart(stop), null)
  t.strictSame(await operations.unconfirmedStops({ id: 'm1', upstream: 'other' }), [])
  const last = at('default', 'start')
  await send(last)
  t.strictSame(await operations.startsBefore(last), [])
  const theirs = at('other', 'stop')
  await send(theirs)
  t.notOk(await operations.hadOpenStart(theirs))
  t.equal(await operations.laterStart(stop), 'open')
})

t.test('a stop whose caller was told goes on being looked after, and its answer stays', async t => {
  const { operations, send, end } = await world(t)
  const told = { status: 200, body: { data: { message: 'stopped' } } }
  const later = { status: 502, body: { data: null } }
  const [stop, other] = [operationOf('acme', { kind: 'stop' }), operationOf('acme', { kind: 'stop' })]
  await send(stop, other)
  await end(stop.id, { state: 'unknown', answer: told }, 2_000)
  await end(other.id, { state: 'unknown' }, 2_000)
  t.match(await operations.unconfirmedStops({ id: 'm1', upstream: 'default' }), [
    { id: stop.id, answer: told },
    { id: other.id, answer: null }
  ])
  for (const { id } of [stop, other]) await end(id, { state: 'failed', answer: later }, 3_000)
  t.match(await operations.find(stop.id), { state: 'failed', settledAtMs: 3_000, answer: told })
  t.match(await operations.find(other.id), { state: 'failed', answer: later })
  const start = operationOf('acme', { kind: 'create_meeting', meetingId: null })
  await send(start)
  await end(start.id, { state: 'unknown', answer: told }, 2_000)
  await end(start.id, { state: 'done', answer: later }, 3_000)
  t.match(await operations.find(start.id), { answer: later }, 'only of stops')
})

t.test(
  "the vendor's words and times, the trace of its call, and a second sending are kept with an operation",
  async t => {
    const { operations, send, end, store } = await world(t)
    const trace = {
      id: '4bf92f3577b34da6a3ce929d0e0e4736',
      parent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
    }
    const start = operationOf('acme', { vendorAtMs: 1_234, trace })
    await send(start)
    await store.engine.write([operations.sentAgain(start.id, 5_000)])
    await end(start.id, { state: 'unknown', upstreamStatus: 400, reason: 'still stopping' }, 6_000)
    const kept = { trace, vendorAtMs: 1_234, sentAgainAtMs: 5_000, upstreamStatus: 400, reason: 'still stopping' }
    t.match(await operations.find(start.id), kept)
    await end(start.id, { state: 'done' }, 7_000)
    t.match(await operations.find(start.id), kept, 'also when its end has none')
    const refusal = await refusalOf(store.engine.write([operations.sentAgain(start.id, 8_000)]))
    t.match(refusal, { constructor: Conflict }, 'what is settled is not sent again')
  }
)

t.test('operations settled long ago go, the oldest first and so many at a time; open ones stay for ever', async t => {
  const { operations, send, end, all } = await world(t)
  const settled = [5_000, 1_000, 4_000, 2_000, 3_000].map(atMs => ({
    atMs,
    ...operationOf('acme', { kind: 'stop' })
  }))
  const sent = operationOf('acme', { kind: 'stop' })
  const unknown = operationOf('acme')
  await send(...settled, sent, unknown)
  for (const { id, atMs } of settled) await end(id, { state: atMs === 2_000 ? 'failed' : 'done' }, atMs)
  await end(unknown.id, { state: 'unknown' }, 500)
  const left = async () => (await all()).map(({ settled_at }) => settled_at ?? 'open').sort()
  t.equal(await operations.removeSettled(4_000, 2), 2)
  t.strictSame(await left(), [3_000, 4_000, 5_000, 'open', 'open'])
  t.equal(await operations.removeSettled(4_000, 2), 1, 'fewer than asked: none are left')
  t.equal(await operations.removeSettled(4_000, 2), 0)
  t.strictSame(await left(), [4_000, 5_000, 'open', 'open'])
})
