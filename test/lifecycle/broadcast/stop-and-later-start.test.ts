import t from 'tap'
import { meetingId, reconciling, runOf } from '../../support/broadcast/reconciling.ts'
import { led } from '../../support/turns.ts'

const stopped = { status: 200, body: { data: { message: 'Stopped live stream successfully' } } }

/** The row of a stop that a later start has overtaken. */
const overtaken = (requestId: string) => ({
  state: 'failed',
  answer: { status: 502, body: { error: { type: 'upstream_refused', outcome: 'failed', request_id: requestId } } }
})

t.test('while the outcome of an earlier start is unknown its stop is repeated: something may still begin', async t => {
  const { reconcile, sent, store, clock, vendor, operations } = await reconciling(t)
  const start = await sent('start')
  clock.advance(1)
  const stop = await sent('stop')
  vendor.stops = false
  t.equal(await reconcile(stop), false)
  vendor.stops = true
  clock.advance(5_000)
  t.equal(await reconcile(stop), false)
  clock.advance(5_000)
  t.equal((await operations.find(stop.id))?.state, 'unknown')
  await store.engine.write([operations.ended(start.id, { state: 'done', livestreamId: 'a1' }, clock.now())])
  t.equal(await reconcile(stop), true)
  t.equal(vendor.asked.filter(what => what.startsWith('stop')).length, 3)
})

t.test(
  'a later start whose outcome is open holds a stop that nobody has confirmed: who wins is not known yet',
  async t => {
    for (const state of ['sent', 'unknown'] as const) {
      for (const end of ['done', 'failed'] as const) {
        await t.test(`${state}, and then ${end}`, async t => {
          const { reconcile, sent, store, clock, vendor, operations, events } = await reconciling(t)
          const stop = await sent('stop', { requestId: 'lost' })
          const start = await sent('start', {}, state === 'sent' ? null : { state })
          vendor.active = runOf('a1')
          for (let i = 0; i < 3; i++) {
            t.equal(await reconcile(stop), false)
            clock.advance(10_000)
          }
          t.strictSame(vendor.asked, [], 'the vendor is not even asked')
          t.match(await operations.find(stop.id), { state: 'unknown', answer: null })
          t.strictSame(await events(), [])

          await store.engine.write([operations.ended(start.id, { state: end }, clock.now())])
          t.equal(await reconcile(stop), true)
          const isSent = end === 'failed'
          t.strictSame(vendor.asked, isSent ? [`active ${meetingId}`, `stop ${meetingId}`] : [])
          t.match(await operations.find(stop.id), isSent ? { state: 'done', answer: stopped } : overtaken('lost'))
          const told = { api: { operation: 'stopLivestream' }, unmapped: { outcome: isSent ? 'done' : 'failed' } }
          t.match(await events(), [told])
        })
      }
    }
  }
)

t.test('a later start that is done overtakes a stop that nobody has confirmed: it is never sent again', async t => {
  const answered = { status: 200, body: { data: { id: 'a1', status: 'LIVE' } } }
  const laterStarts = {
    done: { state: 'done', livestreamId: 'a1' },
    'answered with the run that was live': { state: 'done', livestreamId: 'a1', answer: answered }
  } as const
  for (const [what, end] of Object.entries(laterStarts)) {
    await t.test(what, async t => {
      const { reconcile, sent, clock, vendor, operations, events } = await reconciling(t)
      const stop = await sent('stop', { requestId: 'lost' })
      clock.advance(1)
      await sent('start', {}, end)
      t.equal(await reconcile(stop), true)
      t.strictSame(vendor.asked, [], 'the vendor is not even asked')
      t.match(await operations.find(stop.id), overtaken('lost'))
      t.match(await events(), [{ api: { operation: 'stopLivestream' }, unmapped: { outcome: 'failed' } }])
    })
  }
})

t.test('an earlier start, one that failed, and one of another meeting overtake no stop', async t => {
  const { reconcile, sent, clock, vendor, operations } = await reconciling(t)
  await sent('start', {}, { state: 'done', livestreamId: 'a1' })
  clock.advance(1)
  const stop = await sent('stop')
  clock.advance(1)
  await sent('start', {}, { state: 'failed' })
  await sent('start', { meetingId: 'm2' }, { state: 'done', livestreamId: 'b1' })
  t.equal(await reconcile(stop), true)
  t.strictSame(vendor.asked, [`active ${meetingId}`, `stop ${meetingId}`])
  t.equal((await operations.find(stop.id))?.state, 'done')
})

t.test('a start overtakes a stop at once, as soon as it is asked to', async t => {
  const { ends, sent, operations, events } = await reconciling(t)
  const stop = await sent('stop')
  t.equal(await ends.overtake(stop), true)
  t.equal(await ends.overtake(stop), true, 'twice is no mistake')
  t.equal((await operations.find(stop.id))?.state, 'failed')
  t.equal((await events()).length, 1)
})

t.test('a repeated stop waits for its turn, and is not sent when somebody has started again meanwhile', async t => {
  const { reconcile, sent, clock, queue, vendor, operations } = await reconciling(t)
  const stop = await sent('stop')
  clock.advance(1)
  const go = Promise.withResolvers<void>()
  const starting = led(queue.enterStart(`default/${meetingId}`, 'acme', 0), async () => {
    await go.promise
    return (await sent('start', {}, { state: 'done', livestreamId: 'a1' })).id
  })
  const ours = reconcile(stop)
  await new Promise(setImmediate)
  t.strictSame(vendor.asked, [])
  go.resolve()
  t.equal(await ours, true)
  await starting
  t.strictSame(vendor.asked, [])
  t.equal((await operations.find(stop.id))?.state, 'failed')
})

t.test('a later start ends a watched stop, and what its caller was told stays true', async t => {
  const { ends, sent, operations, events } = await reconciling(t)
  const stop = await sent('stop', { answer: stopped }, { state: 'unknown', answer: stopped })
  t.equal(await ends.overtake(stop), true)
  t.match(await operations.find(stop.id), { state: 'done', answer: stopped })
  t.match(await events(), [{ status_code: '200', unmapped: { outcome: 'done' } }])
})
