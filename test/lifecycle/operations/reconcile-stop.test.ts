import t from 'tap'
import {
  UpstreamBudgetExhausted,
  UpstreamFailed,
  UpstreamUnavailable,
  UpstreamUnreachable
} from '../../../src/domain/refusals/failures.ts'
import { moveRuns } from '../../../src/domain/runs/run-moves.ts'
import { broadcastRunsIn } from '../../../src/store/tables/runs/broadcast-runs.ts'
import { meetingId, reconciling, runOf, sentOperation } from '../../support/broadcast/reconciling.ts'
import { refusalOf } from '../../support/store/helper.ts'
import { led } from '../../support/turns.ts'

const stopped = { status: 200, body: { data: { message: 'Stopped live stream successfully' } } }

t.test(
  'a stop is repeated until the vendor shows nothing live, and is then done, with the answer of a stop',
  async t => {
    const { reconcile, sent, clock, vendor, operations, events } = await reconciling(t)
    const stop = await sent('stop', { requestId: 'lost' })
    vendor.trouble = new UpstreamUnreachable()
    t.match(await refusalOf(reconcile(stop)), { type: 'upstream_unreachable' })
    vendor.trouble = null
    vendor.stops = false
    vendor.active = runOf('a1')
    clock.advance(5_000)
    t.match(
      await refusalOf(reconcile(stop)),
      { type: 'upstream_refused' },
      'it says that nothing is live, and shows a run'
    )
    t.equal((await operations.find(stop.id))?.state, 'unknown')
    vendor.stops = true
    clock.advance(5_000)
    t.equal(await reconcile(stop), true)
    t.strictSame(
      vendor.asked.filter(what => what.startsWith('stop')),
      Array(2).fill(`stop ${meetingId}`)
    )
    t.match(await operations.find(stop.id), { state: 'done', livestreamId: null })
    t.strictSame((await operations.find(stop.id))?.answer, stopped)
    t.match(await events(), [
      {
        metadata: { correlation_uid: 'lost' },
        api: { operation: 'stopLivestream' },
        status_code: '200',
        status_detail: 'settled',
        unmapped: { outcome: 'done' }
      }
    ])
  }
)

t.test('nothing live, by the word of the vendor and by a look, is as good as stopped', async t => {
  const { reconcile, sent, vendor, operations } = await reconciling(t)
  const stop = await sent('stop')
  vendor.stops = false
  t.equal(await reconcile(stop), true)
  t.strictSame(vendor.asked, [`active ${meetingId}`, `stop ${meetingId}`, `active ${meetingId}`])
  t.equal((await operations.find(stop.id))?.state, 'done')
})

t.test("a user's stop never joins one that is being repeated: it is sent behind it", async t => {
  const { reconcile, sent, queue, vendor } = await reconciling(t)
  const [asked, answer] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  vendor.beforeStop = () => {
    asked.resolve()
    return answer.promise
  }
  const ours = reconcile(await sent('stop'))
  await asked.promise
  const theirs = led(
    queue.enterStop(`default/${meetingId}`, 'acme'),
    async ({ waited }) => `sent after ${vendor.asked}, waited: ${waited}`
  )
  answer.resolve()
  t.equal(await theirs, `led: sent after active ${meetingId},stop ${meetingId}, waited: true`)
  t.equal(await ours, true)
})

t.test('a repeated stop spaces the stops behind it, as one of a user does', async t => {
  const { reconcile, sent, clock, pace } = await reconciling(t)
  const stop = await sent('stop')
  await reconcile(stop)
  clock.advance(300)
  t.equal(pace.waitMs({ id: meetingId, upstream: 'default' }), 700)
})

t.test(
  'a stop that is not in the store yet, because the store was away, is repeated until it can be settled',
  async t => {
    const { reconcile, store, clock, vendor, operations, events } = await reconciling(t)
    const stop = sentOperation('stop', clock)
    t.equal(await reconcile(stop), false)
    t.strictSame(vendor.asked, [`active ${meetingId}`, `stop ${meetingId}`], 'it goes on all the same')
    t.strictSame(await events(), [])
    await store.engine.write([operations.sent(stop)])
    clock.advance(5_000)
    t.equal(await reconcile(stop), true)
    t.equal((await operations.find(stop.id))?.state, 'done')
    t.equal((await events()).length, 1)
  }
)

t.test('repetitions are spaced, whatever they come to: between them the vendor is not asked at all', async t => {
  const { reconcile, sent, clock, vendor } = await reconciling(t)
  const stop = await sent('stop')
  vendor.trouble = new UpstreamUnreachable()
  const asked: number[] = []
  for (let ms = 0; ms < 20_000; ms += 100) {
    await reconcile(stop).catch(() => {})
    if (vendor.asked.splice(0).length > 0) asked.push(ms)
    clock.advance(100)
  }
  t.strictSame(asked, [0, 2_000, 6_000, 11_000, 16_000])
})

t.test('a repetition that quota or breaker holds back is no failing stop: the others keep their rights', async t => {
  const { reconcile, sent, vendor, rights } = await reconciling(t)
  const meeting = { id: meetingId, tenantId: 'acme', upstream: 'default' }
  let meetings = 0
  const repeat = async (times: number, trouble: Error): Promise<void> => {
    vendor.trouble = trouble
    for (let i = 0; i < times; i++)
      await reconcile(await sent('stop', { meetingId: `other-${meetings++}` })).catch(() => {})
  }
  vendor.calls = 0
  await repeat(60, new UpstreamBudgetExhausted())
  await repeat(60, new UpstreamUnavailable())
  t.equal(vendor.asked.length, 120)
  t.equal(await rights.priorityOf(meeting), 'stop')
  // An answer of the vendor's costs a call each time.
  vendor.calls = 1
  await repeat(60, new UpstreamUnavailable({ upstreamStatus: 503 }))
  t.equal(await rights.priorityOf(meeting), 'mutation')
})

t.test('a look that fails after many calls takes as many of what is kept for stops', async t => {
  const { reconcile, sent, vendor, rights } = await reconciling(t)
  const meeting = { id: meetingId, tenantId: 'acme', upstream: 'default' }
  vendor.trouble = new UpstreamFailed({ upstreamStatus: 500 })
  vendor.calls = 24
  for (const [i, priority] of ['stop', 'stop', 'mutation'].entries()) {
    await reconcile(await sent('stop', { meetingId: `other-${i}` })).catch(() => {})
    t.equal(
      await rights.priorityOf(meeting),
      priority,
      `after ${24 * (i + 1)} calls of the 50 that failing stops may have`
    )
  }
})

t.test('a stop that the vendor will not hear ends when two looks, 5 s apart, show nothing live', async t => {
  const { reconcile, sent, clock, vendor, operations } = await reconciling(t)
  const stop = await sent('stop')
  vendor.beforeStop = async () => {
    throw new UpstreamFailed({ outcome: 'unknown', upstreamStatus: 500 })
  }
  t.equal(await reconcile(stop), false)
  clock.advance(4_999)
  t.equal(await reconcile(stop), false)
  vendor.asked = []
  clock.advance(1)
  t.equal(await reconcile(stop), true)
  t.strictSame(vendor.asked, [`active ${meetingId}`], 'the second look is enough')
  t.equal((await operations.find(stop.id))?.state, 'done')
})

t.test('a watched stop is done by the second look, however many others are watched meanwhile', async t => {
  const { reconcile, sent, clock } = await reconciling(t)
  const watch = () => reconcile.note(sentOperation('stop', clock, { answer: stopped }), clock.monotonic())
  for (let i = 1; i < 10_000; i++) watch()
  const stop = await sent('stop', { answer: stopped })
  watch()
  clock.advance(5_000)
  t.equal(await reconcile(stop), true)
})

t.test('a stop whose caller was answered is watched: 5 s later it is done, or sent again', async t => {
  for (const goesOn of [false, true]) {
    await t.test(goesOn ? 'a run is shown after all' : 'nothing is shown', async t => {
      const { reconcile, sent, clock, vendor, operations } = await reconciling(t)
      const stop = await sent('stop', { answer: stopped }, { state: 'unknown', answer: stopped })
      clock.advance(4_999)
      t.equal(await reconcile(stop), false)
      t.strictSame(vendor.asked, [], 'until then nobody is asked')
      clock.advance(1)
      vendor.active = goesOn ? runOf('a1') : null
      t.equal(await reconcile(stop), true)
      t.strictSame(vendor.asked, [`active ${meetingId}`, ...(goesOn ? [`stop ${meetingId}`] : [])])
      t.match(await operations.find(stop.id), { state: 'done', answer: stopped })
    })
  }
})

t.test('a watched stop is not sent again after a restart, where two looks show nothing', async t => {
  const { another, sent, clock, vendor, operations } = await reconciling(t)
  const stop = await sent('stop', { answer: stopped }, { state: 'unknown', answer: stopped })
  const later = another()
  t.equal(await later(stop), false)
  clock.advance(5_000)
  t.equal(await later(stop), true)
  t.strictSame(vendor.asked, Array(2).fill(`active ${meetingId}`))
  t.match(await operations.find(stop.id), { state: 'done', answer: stopped })
})

t.test('a confirmed stop ends those before it in one transaction, and those that are not settled yet', async t => {
  for (const isRaced of [false, true]) {
    const { reconcile, sent, store, clock, operations, events } = await reconciling(t)
    const older = [await sent('stop'), await sent('stop')]
    const stop = await sent('stop')
    const { write } = store.engine
    let writes = 0
    store.engine.write = async statements => {
      writes += 1
      const resolved = operations.ended(older[0]?.id ?? '', { state: 'failed' }, clock.now())
      // A person is faster, with one of them.
      if (isRaced && writes === 2) await write.call(store.engine, [resolved])
      return write.call(store.engine, statements)
    }
    t.equal(await reconcile(stop), true)
    const states = await Promise.all([...older, stop].map(async ({ id }) => (await operations.find(id))?.state))
    t.strictSame(states, [isRaced ? 'failed' : 'done', 'done', 'done'])
    t.equal((await events()).length, isRaced ? 2 : 3)
    if (!isRaced) t.equal(writes, 2, 'its own, and one for all others')
  }
})

t.test("a stop whose meeting is another tenant's by now is not sent again, and says so", async t => {
  const { reconcile, sent, vendor, operations } = await reconciling(t)
  const stop = await sent('stop')
  vendor.holds = false
  t.equal(await reconcile(stop), true)
  t.strictSame(vendor.asked, [])
  t.match(await operations.find(stop.id), {
    state: 'failed',
    answer: { status: 404, body: { error: { type: 'meeting_not_found', outcome: 'failed' } } }
  })
})

t.test(
  'a repeated stop that is done keeps the run that was seen last as over: no later look takes it for one to come',
  async t => {
    for (const how of ['the vendor confirms it', 'two looks show nothing'] as const) {
      const { reconcile, sent, clock, vendor, livestreams, store, ownStarts, forgotten } = await reconciling(t)
      const meeting = { id: meetingId, tenantId: 'acme', upstream: 'default' }
      const owner = { id: 'a1', tenantId: 'acme', upstream: 'default', meetingId }
      await store.engine.write(livestreams.observed(owner, { id: 'a1', status: 'INVOKED' }, clock.now()))
      ownStarts.began(meeting, 'a1')
      vendor.beforeStop = async () => {
        if (how === 'two looks show nothing') throw new UpstreamFailed({ outcome: 'unknown', upstreamStatus: 500 })
      }
      const stop = await sent('stop')
      const status = async () =>
        (await livestreams.lastOfMeeting({ id: meetingId, tenantId: 'acme', upstream: 'default' }))?.status
      if (how === 'two looks show nothing') {
        t.equal(await reconcile(stop), false)
        t.equal(await status(), 'INVOKED', 'one look is not the end of it')
        clock.advance(5_000)
      }
      t.equal(await reconcile(stop), true, how)
      t.equal(await status(), 'IDLE')
      t.equal(ownStarts.begunRun(meeting), null)
      t.strictSame(forgotten, ['a1'])
    }
  }
)

t.test(
  'an order that names a start which came to nothing stops what is live, and the gateway by itself does not',
  async t => {
    for (const [cause, stopped] of [
      ['operator', 1],
      ['max_duration', 0]
    ] as const) {
      const { reconcile, sent, vendor, store, clock } = await reconciling(t)
      const place = { tenantId: 'acme', upstream: 'default', meetingId, operationId: 'start 1', atMs: clock.now() }
      const how = { newId: 'run 1', settleMs: 1_000, endedBy: 'outside' } as const
      const [begun] = moveRuns([], { kind: 'sent', ...place, runId: 'run 1' }, how)
      const [refused] = moveRuns(begun ? [begun.after] : [], { kind: 'refused', ...place }, how)
      if (!begun || !refused) throw new Error('no moves')
      for (const move of [begun, refused]) await store.engine.write(broadcastRunsIn(store).moved(move, false))
      vendor.active = runOf('a1')
      const stop = await sent('stop', { runId: 'run 1', cause })
      t.equal(await reconcile(stop), true)
      t.equal(vendor.asked.filter(what => what.startsWith('stop')).length, stopped)
    }
  }
)

t.test(
  'a run behind another livestream of its meeting stays for its deadline to end, and an order to stop gives it up with the reason',
  async t => {
    for (const [cause, isSettled, state] of [
      ['operator', true, 'failed'],
      ['max_duration', false, 'unknown']
    ] as const) {
      const { reconcile, sent, vendor, store, clock, operations } = await reconciling(t)
      const place = { tenantId: 'acme', upstream: 'default', meetingId, operationId: 'start 1', atMs: clock.now() }
      const how = { newId: 'run 1', settleMs: 1_000, endedBy: 'outside' } as const
      const [begun] = moveRuns([], { kind: 'sent', ...place, runId: 'run 1' }, how)
      const shown = { livestreamId: 'a1', playbackUrl: null, status: 'LIVE' }
      const [live] = moveRuns(begun ? [begun.after] : [], { kind: 'started', ...place, ...shown }, how)
      if (!begun || !live) throw new Error('no moves')
      for (const move of [begun, live]) await store.engine.write(broadcastRunsIn(store).moved(move, false))
      vendor.active = runOf('a2')
      const stop = await sent('stop', { runId: 'run 1', cause }, { state: 'unknown' })
      t.equal(await reconcile(stop), isSettled, cause)
      t.match(await operations.find(stop.id), { state })
      t.notOk(vendor.asked.some(what => what.startsWith('stop')))
    }
  }
)
