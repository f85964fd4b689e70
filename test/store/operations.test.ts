import t from 'tap'
import { UniqueViolation } from '../../src/store/engine.ts'
import { operationsIn } from '../../src/store/operations.ts'
import { operationOf, refusalOf, storeWithTenants } from './helper.ts'

async function world(t: Parameters<typeof storeWithTenants>[0]) {
  const { store } = await storeWithTenants(t)
  const operations = operationsIn(store)
  const send = (...sent: ReturnType<typeof operationOf>[]) => store.engine.write(sent.map(operations.sent))
  const end = (...args: Parameters<typeof operations.ended>) => store.engine.write([operations.ended(...args)])
  const all = () => store.engine.read(store.sql.selectFrom('operations').selectAll().orderBy('id').compile())
  return { operations, send, end, all }
}

t.test('a meeting has one open start at most, whoever asks', async t => {
  const { operations, send, end } = await world(t)
  const first = operationOf('acme')
  await send(first)
  t.strictSame(await operations.openStart('m1'), first)
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

t.test('what is not settled is found as it was written, with what was under way when a process ended', async t => {
  const { operations, send, end } = await world(t)
  const left = operationOf('acme', { livestreamId: 'a1', requestId: 'r7' })
  const unknown = operationOf('acme', { kind: 'stop', sentAtMs: 2_000 })
  const done = operationOf('acme', { kind: 'update_meeting' })
  await send(left, unknown, done)
  await end(unknown.id, { state: 'unknown' }, 2_000)
  await end(done.id, { state: 'done' }, 2_000)
  t.strictSame(await operations.unsettled(), [left, { ...unknown, state: 'unknown' }])
  t.strictSame(
    (await operations.list({ open: true, limit: 10 })).map(({ id }) => id),
    [unknown.id, left.id]
  )
  t.equal((await operations.list({ limit: 1 })).length, 1)
  t.strictSame(await operations.list({ tenantId: 'globex', limit: 10 }), [])
  t.strictSame(await operations.unconfirmedStops('m1'), [{ ...unknown, state: 'unknown' }])
})

t.test(
  'an operation is found by its key with the answer that is kept for it; one that executed nothing gives the key back',
  async t => {
    const { operations, send, end } = await world(t)
    const idempotency = { keyFingerprint: 'k1', requestFingerprint: 'q1' }
    const first = operationOf('acme', { kind: 'stop', idempotency })
    await send(first)
    t.strictSame(await operations.findByKey('k1'), first)
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

t.test('a later start counts unless it failed', async t => {
  const { operations, send, end } = await world(t)
  const start = operationOf('acme', { sentAtMs: 5_000 })
  await send(start)
  t.ok(await operations.startedSince('m1', 4_999))
  t.notOk(await operations.startedSince('m1', 5_000))
  t.notOk(await operations.startedSince('m2', 0))
  await end(start.id, { state: 'failed' }, 6_000)
  t.notOk(await operations.startedSince('m1', 0))
})

t.test(
  'what was settled long ago goes, the oldest first and so many at a time; what is open stays for ever',
  async t => {
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
  }
)
