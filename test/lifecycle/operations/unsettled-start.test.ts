import t from 'tap'
import type { Store } from '../../../src/store/store.ts'
import { operationsIn } from '../../../src/store/tables/operations.ts'
import { manualClock } from '../../support/clock.ts'
import { gateway } from '../../support/gateway.ts'
import { operationOf } from '../../support/store/helper.ts'
import { until } from '../../support/until.ts'

const lost = { match: { method: 'POST' }, hangUp: true }

// Each has a gateway of its own, and waits for it.
t.jobs = 4

t.test(
  'a start whose answer was lost before the work holds the meeting until two looks have shown nothing',
  async t => {
    const clock = manualClock()
    const { asAcme, meeting, simulator, store } = await gateway(t, { clock, config: { deadlineMs: 2_000 } })
    const start = () => asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
    simulator.failNext(lost)

    const first = await start()
    t.equal(first.statusCode, 502)
    t.match(first.json().error, { type: 'upstream_unreachable', outcome: 'unknown' })

    const early = await start()
    t.equal(early.statusCode, 409)
    t.match(early.json().error, { type: 'start_unsettled', outcome: 'not_sent' })
    t.equal(early.headers['retry-after'], '7', 'the deadline of 2 s, and 5 s between two looks')
    t.equal(simulator.journal.filter(({ method }) => method === 'POST').length, 1, 'nothing second went upstream')

    clock.advance(2_000)
    t.equal((await start()).statusCode, 409, 'the first look that counts')
    clock.advance(5_000)
    t.equal((await start()).statusCode, 201)
    t.strictSame(await states(store), ['failed', 'done'])
  }
)

t.test('a start whose answer was lost after the work is found at once: its caller gets the livestream', async t => {
  const { asAcme, meeting, simulator, store } = await gateway(t)
  simulator.failNext({ ...lost, afterWork: true })
  t.equal((await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).statusCode, 201)
  t.equal((await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).statusCode, 200)
  t.equal(simulator.livestreams()[0]?.starts, 1)
  t.strictSame(await states(store), ['done'])
})

t.test('names of other tenants that make a list too long do not hold it back either', async t => {
  const clock = manualClock()
  const { asAcme, meeting, simulator, store } = await gateway(t, { clock, config: { deadlineMs: 2_000 } })
  const start = () => asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  for (let i = 0; i < 18; i++) simulator.addLivestream({ name: 'x'.repeat(65_000) })
  simulator.failNext(lost)
  t.equal((await start()).statusCode, 502)
  clock.advance(2_000)
  t.equal((await start()).statusCode, 409)
  clock.advance(5_000)
  t.equal((await start()).statusCode, 201)
  t.strictSame(await states(store), ['failed', 'done'])
})

t.test('a lost start that uses an old livestream again is found, hidden and not among the newest as it is', async t => {
  for (const nothingLive of ['404', '500'] as const) {
    const hiding = { liveAfterMs: 60_000, activeDuringInvoked: '404', nothingLive } as const
    const { asAcme, meeting, simulator, store } = await gateway(t, { simulator: hiding })
    // A livestream that Livegate has never seen.
    simulator.end(simulator.startFromBrowser(meeting).id)
    for (let i = 0; i < 51; i++) simulator.addLivestream()
    simulator.failNext({ ...lost, afterWork: true })
    await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
    await until(async () => (await states(store)).join() === 'done', 20_000)
    t.equal((await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).statusCode, 200)
    t.equal(simulator.livestreams().find(one => one.meeting_id === meeting)?.starts, 2, 'the old one and this one')
  }
})

t.test('a start that came to nothing is not taken for the run before it, which began in the same second', async t => {
  const clock = manualClock()
  // Nothing tells the vendor's clock to the millisecond, and within that second it is late.
  clock.advance(1_900 - (clock.now() % 1_000))
  const vendor = { now: clock.now, clockOffsetMs: -3_600_000, livestreamId: 'reused', liveAfterMs: 0 } as const
  const { asAcme, meeting, simulator, store } = await gateway(t, {
    clock,
    simulator: vendor,
    config: { deadlineMs: 2_000 }
  })
  const start = () => asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  t.equal((await start()).statusCode, 201)
  t.equal((await asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)).statusCode, 200)
  simulator.failNext({ ...lost, match: { method: 'POST', path: '/meetings/*/livestreams' } })
  t.match((await start()).json().error, { type: 'upstream_unreachable', outcome: 'unknown' })
  clock.advance(2_000)
  t.match((await start()).json().error, { type: 'start_unsettled' }, 'the first look that counts')
  clock.advance(5_000)
  t.equal((await start()).statusCode, 201)
  t.match(await states(store), ['done', 'done', 'failed', 'done'])
  t.equal(simulator.livestreams()[0]?.starts, 2)
})

t.test(
  'a start that a crashed gateway left open is unknown: it is on record and nothing second is started',
  async t => {
    const { asAcme, meeting, simulator, store, events } = await gateway(t, {
      async before(store, simulator) {
        const [meeting] = await store.engine.read(
          store.sql.selectFrom('meetings').select('id').where('tenant_id', '=', 'acme').compile()
        )
        const meetingId = meeting?.id ?? ''
        simulator.startFromBrowser(meetingId) // the start had reached the vendor
        const left = { id: 'left-open', keyId: 'gone', requestId: 'before-the-crash', meetingId, sentAtMs: Date.now() }
        const sent = operationsIn(store).sent(operationOf('acme', left))
        await store.engine.write([sent])
      }
    })
    t.match(await events(), [
      { metadata: { correlation_uid: 'before-the-crash' }, unmapped: { outcome: 'unknown', tenant_id: 'acme' } }
    ])
    const reply = await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
    t.equal(reply.statusCode, 200)
    t.equal(simulator.livestreams()[0]?.starts, 1)
    t.strictSame(await states(store), ['done'])
  }
)

t.test(
  'a vendor that cannot be asked whether the meeting is live: nothing is sent, and the answer says so',
  async t => {
    const { asAcme, meeting, simulator } = await gateway(t)
    simulator.fail({ match: { method: 'GET' }, status: 500 })
    const reply = await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
    t.equal(reply.statusCode, 502)
    t.match(reply.json().error, { type: 'upstream_failed', outcome: 'not_sent' })
    t.equal(simulator.journal.filter(({ method }) => method === 'POST').length, 0)
  }
)

t.test('a stop that meets a start of unknown outcome is sent again when that start is settled', async t => {
  const clock = manualClock()
  const { asAcme, meeting, simulator, store } = await gateway(t, { clock, simulator: { now: clock.now } })
  simulator.failNext(lost)
  t.match((await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).json().error, { outcome: 'unknown' })
  clock.advance(1)
  const stopped = await asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)
  t.equal(stopped.statusCode, 409)
  t.match(stopped.json().error, { type: 'start_unsettled', outcome: 'unknown' })
  await until(async () => {
    clock.advance(250)
    return (await states(store)).join() === 'failed,done'
  })
  const start = store.sql.selectFrom('operations').select('settled_at').where('kind', '=', 'start')
  const settledAtMs = (await store.engine.read(start.compile()))[0]?.settled_at ?? Number.POSITIVE_INFINITY
  const stops = simulator.journal.filter(({ method, target }) => method === 'POST' && target.endsWith('/stop'))
  t.ok(stops.some(({ at }) => at >= settledAtMs))
})

async function states({ engine, sql }: Store): Promise<string[]> {
  const rows = await engine.read(sql.selectFrom('operations').select('state').orderBy('sent_at').compile())
  return rows.map(({ state }) => state)
}
