import t from 'tap'
import { gatewayBehindDoor } from '../../support/broadcast/door.ts'
import { manualClock } from '../../support/clock.ts'
import { gateway } from '../../support/gateway.ts'
import { until } from '../../support/until.ts'

t.test('a stop', async t => {
  const { asAcme, meeting, simulator } = await gateway(t)
  const stop = () => asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)

  await t.test(
    'a stop of a live meeting answers 200 in the words of the vendor, and nothing is live any more',
    async t => {
      await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
      const reply = await stop()
      t.equal(reply.statusCode, 200)
      t.strictSame(reply.json(), { success: true, data: { message: 'Stopped live stream successfully' } })
      t.equal(simulator.livestreams()[0]?.status, 'IDLE')
      t.equal((await asAcme('GET', `/v2/meetings/${meeting}/active-livestream`)).statusCode, 404)
    }
  )

  await t.test('a stop of a run that has ended by itself answers 200: it is what the caller wanted', async t => {
    const run = (await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).json().data
    simulator.end(run.id)
    t.equal((await stop()).statusCode, 200)
  })

  await t.test('a stop of a run that a browser began, which Livegate never saw, stops it', async t => {
    simulator.startFromBrowser(meeting)
    t.equal((await stop()).statusCode, 200)
    t.equal(simulator.livestreams()[0]?.status, 'IDLE')
  })
})

t.test('a stop with nothing live, where no run was ever seen, is a 404', async t => {
  const { asAcme, meeting } = await gateway(t)
  const reply = await asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)
  t.equal(reply.statusCode, 404)
  t.equal(reply.json().error.type, 'no_active_livestream')
})

t.test('stops that find nothing live go upstream at most once a second, and count as writes', async t => {
  const { asAcme, meeting, simulator } = await gateway(t)
  const startedAtMs = performance.now()
  const replies = await Promise.all(
    Array.from({ length: 20 }, async (_, i) => {
      if (i >= 10) await until(() => simulator.journal.length >= 2)
      return asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)
    })
  )
  t.strictSame(new Set(replies.map(reply => reply.statusCode)), new Set([404]))
  const stops = simulator.journal.filter(({ method }) => method === 'POST').length
  t.ok(stops <= 1 + (performance.now() - startedAtMs) / 1_000, `${stops} stops went upstream`)
  t.match(replies.at(-1)?.headers.ratelimit, /^"write";r=5\d\d;t=\d+$/)
})

t.test('after a fruitless stop a new start can be stopped without waiting', async t => {
  const clock = manualClock()
  const { asAcme, meeting } = await gateway(t, { clock })
  const stop = () => asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)
  t.equal((await stop()).statusCode, 404)
  t.equal((await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).statusCode, 201)
  // One that waited for its second after the stop before would now have to wait for an hour.
  clock.advance(-3_600_000)
  t.equal((await stop()).statusCode, 200)
})

t.test(
  'a vendor that refuses to stop a run that it still shows: nobody knows yet, and the stop is sent again',
  async t => {
    const { asAcme, meeting, simulator } = await gateway(t)
    await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
    simulator.failNext({ match: { method: 'POST' }, status: 409, body: {} })
    const reply = await asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)
    t.equal(reply.statusCode, 502)
    t.match(reply.json().error, { type: 'upstream_refused', outcome: 'unknown' })
  }
)

t.test('a vendor that says "nothing live" and then cannot be asked: the outcome is unknown', async t => {
  const { asAcme, meeting, simulator } = await gateway(t)
  await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  simulator.failNext([
    { match: { method: 'POST' }, status: 404, body: {} },
    { match: { method: 'GET' }, status: 503 },
    { match: { method: 'GET' }, status: 503 }, // the lists that are asked instead
    { match: { method: 'GET' }, status: 503 } // the meeting's own livestream, where those can't be read
  ])
  const reply = await asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)
  t.equal(reply.statusCode, 502)
  t.match(reply.json().error, { type: 'upstream_failed', outcome: 'unknown' })
})

t.test('a stop during an open start is sent after it, so that nothing is left live', async t => {
  const { asAcme, meeting, simulator, door, inLine } = await gatewayBehindDoor(t)
  door.hold('POST')
  const starting = asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  await until(() => door.held().length === 1)
  const [stopping] = await inLine([() => asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)])
  door.release()
  t.equal((await starting).statusCode, 201)
  t.equal((await stopping)?.statusCode, 200)
  t.equal(simulator.livestreams()[0]?.status, 'IDLE')
})

t.test('a start during an open stop waits for it and begins a new run', async t => {
  const { asAcme, meeting, simulator, door, inLine } = await gatewayBehindDoor(t)
  await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  door.hold('POST')
  const stopping = asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)
  await until(() => door.held().length === 1)
  const [starting] = await inLine([() => asAcme('POST', `/v2/meetings/${meeting}/livestreams`)])
  door.release()
  t.equal((await stopping).statusCode, 200)
  t.equal((await starting)?.statusCode, 201)
  t.equal(simulator.livestreams()[0]?.starts, 2)
})

t.test('a stop that finds nothing live while the outcome of a start is unknown is not called done', async t => {
  const { asAcme, meeting, simulator } = await gateway(t)
  simulator.failNext({ match: { method: 'POST' }, hangUp: true })
  t.match((await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).json().error, { outcome: 'unknown' })
  const reply = await asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)
  t.equal(reply.statusCode, 409)
  t.equal(reply.json().error.type, 'start_unsettled')
  t.equal(reply.headers['retry-after'], '1')
})

t.test('a vendor that calls it a success to stop nothing: such stops are spaced and count as writes', async t => {
  const { asAcme, meeting, simulator } = await gateway(t, { simulator: { stopWithNothingLive: '200' } })
  const stop = () => asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)
  // The pause counts from the sending of the first one, which its answer may follow late.
  const startedAtMs = performance.now()
  const first = await stop()
  t.equal(first.statusCode, 200)
  t.match(first.headers.ratelimit, /^"write";r=599;/)
  const replies = await Promise.all(Array.from({ length: 20 }, stop))
  t.strictSame(new Set(replies.map(({ statusCode }) => statusCode)), new Set([200]))
  const others = simulator.journal.filter(({ method }) => method === 'POST').length - 1
  t.ok(others >= 1 && others <= (performance.now() - startedAtMs) / 1_000, `${others} more went upstream`)
})
