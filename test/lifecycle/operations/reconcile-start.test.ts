import t from 'tap'
import { UpstreamTooLate } from '../../../src/domain/refusals/failures.ts'
import { deadlineMs, meetingId, reconciling, runOf, sentOperation } from '../../support/broadcast/reconciling.ts'
import { steps } from '../../support/clock.ts'
import { refusalOf } from '../../support/store/helper.ts'

t.test('a run that is found settles its start as done: with the answer that was lost, without its key', async t => {
  const { reconcile, sent, vendor, operations, livestreams, events, forgotten } = await reconciling(t)
  const start = await sent('start', { requestId: 'lost' })
  vendor.started = runOf('a1', { ingest_server: 'rtmps://ingest.example', name: 'friday' })
  t.equal(await reconcile(start), true)

  const data = { id: 'a1', status: 'LIVE', meeting_id: meetingId, name: 'friday' }
  t.match(await operations.find(start.id), { state: 'done', livestreamId: 'a1' })
  t.strictSame((await operations.find(start.id))?.answer, { status: 201, body: { data } })
  t.match(await livestreams.find('acme', 'a1'), { meetingId, status: 'LIVE' }, 'its tenant may use it from now on')
  t.strictSame(forgotten, ['a1'])
  t.match(await events(), [
    {
      metadata: { correlation_uid: 'lost' },
      api: { operation: 'startLivestream' },
      status_code: '201',
      status_detail: 'settled',
      actor: { user: { type: 'Gateway', uid: 'settling' } },
      resources: [
        { type: 'meeting', uid: meetingId },
        { type: 'livestream', uid: 'a1' }
      ],
      unmapped: { outcome: 'done', tenant_id: 'acme' }
    }
  ])
})

t.test('looks before the deadline say nothing: what was sent may still arrive', async t => {
  const { reconcile, sent, clock, operations } = await reconciling(t)
  const start = await sent('start')
  for (const _ of [1, 2, 3]) {
    t.equal(await reconcile(start), false)
    clock.advance(deadlineMs / 3 - 1)
  }
  clock.advance(3)
  t.equal(await reconcile(start), false, 'the first that counts')
  clock.advance(5_000)
  t.equal(await reconcile(start), true)
  t.equal((await operations.find(start.id))?.state, 'failed')
})

t.test(
  'two late looks that show nothing settle a start as failed, when 5 s lie between them and not before',
  async t => {
    const { reconcile, sent, clock, vendor, operations, events } = await reconciling(t)
    const start = await sent('start', { requestId: 'lost' })
    clock.advance(deadlineMs)
    for (const ms of [0, 1, 2_000, 2_998]) {
      clock.advance(ms)
      t.equal(await reconcile(start), false)
      t.equal((await operations.find(start.id))?.state, 'unknown')
    }
    clock.advance(1)
    t.equal(await reconcile(start), true)
    t.equal(vendor.asked.length, 5)
    const { state, livestreamId, answer } = (await operations.find(start.id)) ?? {}
    t.match({ state, livestreamId }, { state: 'failed', livestreamId: null })
    t.match(answer, {
      status: 502,
      body: { error: { code: 502, type: 'upstream_failed', outcome: 'failed', request_id: 'lost' } }
    })
    t.match(await events(), [{ unmapped: { outcome: 'failed' }, status_detail: 'settled', status_code: '502' }])
  }
)

t.test('a run that shows itself only at the second look was started', async t => {
  const { reconcile, sent, clock, vendor, operations } = await reconciling(t)
  const start = await sent('start')
  clock.advance(deadlineMs)
  await reconcile(start)
  clock.advance(5_000)
  vendor.started = runOf('a1')
  t.equal(await reconcile(start), true)
  t.equal((await operations.find(start.id))?.state, 'done')
})

t.test('a vendor that cannot be asked says nothing: the start stays unknown, for as long as it takes', async t => {
  const { reconcile, sent, clock, vendor, operations, events } = await reconciling(t)
  const start = await sent('start')
  vendor.trouble = new UpstreamTooLate()
  for (const _ of [1, 2, 3]) {
    clock.advance(3_600_000)
    t.match(await refusalOf(reconcile(start)), { type: 'upstream_too_late' })
  }
  t.equal((await operations.find(start.id))?.state, 'unknown')
  vendor.trouble = null
  t.equal(await reconcile(start), false, 'and the first look that works is the first')
  t.strictSame(await events(), [])
})

t.test('after a restart two more looks are needed', async t => {
  const { reconcile, another, sent, clock } = await reconciling(t)
  const start = await sent('start')
  clock.advance(deadlineMs)
  await reconcile(start)
  clock.advance(60_000)
  const later = another()
  t.equal(await later(start), false, 'how long it was open nobody knows: one deadline is waited')
  clock.advance(deadlineMs)
  t.equal(await later(start), false)
  clock.advance(5_000)
  t.equal(await later(start), true)
})

t.test('a look that has shown nothing is remembered, however many other starts become open meanwhile', async t => {
  const { reconcile, sent, clock, operations } = await reconciling(t)
  for (let i = 1; i < 10_000; i++) reconcile.note(sentOperation('start', clock), clock.monotonic())
  const start = await sent('start')
  clock.advance(deadlineMs)
  t.equal(await reconcile(start), false)
  t.equal(await reconcile(await sent('start', { meetingId: 'm2' }, null)), false)
  clock.advance(5_000)
  t.equal(await reconcile(start), true)
  t.equal((await operations.find(start.id))?.state, 'failed')
})

t.test('a clock that was set back holds its meeting no longer', async t => {
  const { reconcile, sent, clock } = await reconciling(t)
  const start = await sent('start')
  t.equal(await reconcile(start), false)
  clock.step(-3_600_000)
  clock.advance(deadlineMs)
  t.equal(reconcile.settledInMs(start), 5_000)
  t.equal(await reconcile(start), false)
  clock.advance(5_000)
  t.equal(await reconcile(start), true)
})

t.test('a caller who must wait is told for how long', async t => {
  const { reconcile, sent, clock } = await reconciling(t)
  const start = await sent('start')
  t.equal(reconcile.settledInMs(start), deadlineMs + 5_000)
  clock.advance(4_000)
  t.equal(reconcile.settledInMs(start), deadlineMs + 1_000)
  clock.step(-60_000)
  t.equal(reconcile.settledInMs(start), deadlineMs + 1_000, 'a clock that was set back changes nothing')
  clock.advance(deadlineMs + 60_000)
  t.equal(reconcile.settledInMs(start), 5_000)
  await reconcile(start)
  clock.advance(2_000)
  t.equal(reconcile.settledInMs(start), 3_000)
  clock.advance(9_000)
  t.equal(reconcile.settledInMs(start), 0)
})

t.test('an operation that a person has settled meanwhile stays as it is, and nobody is asked', async t => {
  const { reconcile, sent, store, clock, vendor, operations, events } = await reconciling(t)
  for (const kind of ['start', 'stop'] as const) {
    const operation = await sent(kind)
    await store.engine.write([operations.ended(operation.id, { state: 'failed' }, clock.now())])
    vendor.started = runOf('a1')
    t.equal(await reconcile(operation), true)
    t.match(await operations.find(operation.id), { state: 'failed', answer: null })
  }
  t.strictSame(vendor.asked, [])
  t.strictSame(await events(), [])
})

for (const kind of ['start', 'stop'] as const) {
  t.test(`two that settle the same ${kind} at once settle it once: one row, one event`, async t => {
    const { reconcile, another, sent, vendor, operations, events } = await reconciling(t)
    const operation = await sent(kind)
    vendor.started = runOf('a1')
    t.strictSame(await Promise.all([reconcile(operation), another()(operation), reconcile(operation)]), [
      true,
      true,
      true
    ])
    t.equal((await operations.find(operation.id))?.state, 'done')
    t.equal((await events()).length, 1)
  })
}

t.test(
  'a look that cannot tell the new run from the one before settles nothing, and counts for no later one',
  async t => {
    const { reconcile, sent, clock, vendor, operations } = await reconciling(t)
    const start = await sent('start')
    clock.advance(deadlineMs)
    t.equal(await reconcile(start), false)
    vendor.started = 'unclear'
    clock.advance(5_000)
    t.equal(await reconcile(start), false)
    vendor.started = null
    t.equal(await reconcile(start), false, 'the first look that counts')
    clock.advance(5_000)
    t.equal(await reconcile(start), true)
    t.equal((await operations.find(start.id))?.state, 'failed')
  }
)

for (const stepMs of [0, ...steps])
  t.test(
    `a start that is settled forgets the stops before it, and none that came after it; a clock set by ${stepMs} ms`,
    async t => {
      const { reconcile, sent, clock, vendor, endingRuns } = await reconciling(t)
      const meeting = { id: meetingId, tenantId: 'acme', upstream: 'default' }
      vendor.started = runOf('a1')
      const start = await sent('start')
      clock.advance(1_000)
      clock.step(stepMs)
      endingRuns.stopped(meeting, null)
      clock.advance(1_000)
      t.equal(await reconcile(start), true)
      t.ok(endingRuns.isRecent(meeting))
      const later = await sent('start')
      clock.step(-stepMs)
      clock.advance(1_000)
      t.equal(await reconcile(later), true)
      t.notOk(endingRuns.isRecent(meeting))
    }
  )
