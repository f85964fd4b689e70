import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { gateway, type TestContext, type WorldOptions } from '../../support/gateway.ts'
import { until } from '../../support/until.ts'

/** A gateway with a way to start and stop its meeting, and what the vendor has. */
async function world(t: TestContext, options: WorldOptions = {}) {
  const world = await gateway(t, options)
  const { asAcme, meeting, simulator, store } = world
  const stops = store.sql.selectFrom('operations').select('state').where('kind', '=', 'stop')
  return {
    ...world,
    start: () => asAcme('POST', `/v2/meetings/${meeting}/livestreams`),
    stop: (headers = {}) => asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`, undefined, headers),
    goesOn: () => simulator.livestreams().some(({ sessions }) => sessions.some(run => run.stopped_time === null)),
    states: async () => (await store.engine.read(stops.compile())).map(({ state }) => state)
  }
}

// They wait, each for a vendor of its own.
t.jobs = 8

for (const status of ['400', '404', '409'] as const) {
  t.test(
    `a stop that the vendor refuses with ${status} because the run is not LIVE yet ends it all the same`,
    async t => {
      const { start, stop, goesOn, states } = await world(t, { simulator: { liveAfterMs: 1_500, stopRefusal: status } })
      t.equal((await start()).statusCode, 201)
      const reply = await stop()
      t.equal(reply.statusCode, 502)
      t.match(reply.json().error, { type: 'upstream_refused', outcome: 'unknown' })
      await until(() => !goesOn(), 20_000)
      await until(async () => (await states()).join() === 'done', 20_000)
    }
  )

  t.test(`a stop that the vendor refuses with ${status} since nothing is live is answered as for 404`, async t => {
    const { start, stop, simulator } = await world(t, { simulator: { stopWithNothingLive: status } })
    const never = await stop()
    t.equal(never.statusCode, 404)
    t.match(never.json().error, { type: 'no_active_livestream' })
    const { id } = (await start()).json().data
    simulator.end(id)
    t.equal((await stop()).statusCode, 200)
  })
}

t.test(
  'a stop whose refusal a look has explained is replayed under its key while it is watched, and after',
  async t => {
    const { start, stop, states, simulator, meeting, asAcme } = await world(t)
    const key = { 'idempotency-key': 'stop-once' }
    const { id } = (await start()).json().data
    simulator.end(id)
    simulator.failNext({ match: { path: '/meetings/*/active-livestream/stop' }, status: 400, body: {} })
    const first = await stop(key)
    t.equal(first.statusCode, 200)
    t.strictSame(await states(), ['unknown'], 'one look is not the end of it')
    const again = await stop(key)
    t.equal(again.headers['idempotency-replayed'], 'true')
    t.equal(again.body, first.body)
    await until(async () => (await states()).join() === 'done', 20_000)
    t.equal((await stop(key)).body, first.body)
    t.equal((await asAcme('GET', `/v2/meetings/${meeting}/active-livestream`)).statusCode, 404)
  }
)

t.test('a run that shows itself after a stop was answered is stopped too', async t => {
  const { start, stop, goesOn, states, simulator } = await world(t, {
    simulator: { liveAfterMs: 3_000, activeDuringInvoked: '404', stopRefusal: '404' }
  })
  const { id } = (await start()).json().data
  // The vendor hides it, also from who asks for it by its id.
  simulator.failNext({ match: { method: 'GET', path: `/livestreams/${id}` }, status: 404, body: {} })
  t.equal((await stop()).statusCode, 200, 'one look shows nothing')
  t.strictSame(await states(), ['unknown'])
  t.ok(goesOn())
  await until(() => !goesOn(), 20_000)
  await until(async () => (await states()).join() === 'done', 20_000)
})

for (const [what, fault] of [
  ['asks to slow down', { retryAfterSeconds: 30 }],
  ['refuses the credentials', { status: 401 }],
  ['forbids it', { status: 403, body: { success: false, error: { code: 403, message: 'no' } } }],
  ['fails', { status: 500 }]
] as const) {
  t.test(`a stop of a vendor that ${what} is unknown, and is repeated until nothing is live`, async t => {
    const { start, stop, goesOn, states, simulator } = await world(t)
    await start()
    const path = '/meetings/*/active-livestream/stop'
    const recover = simulator.fail({ match: { method: 'POST', path }, ...fault })
    const reply = await stop({ 'idempotency-key': 'the-last-word' })
    t.match(reply.json().error, { outcome: 'unknown' })
    t.strictSame(await states(), ['unknown'])
    t.equal((await stop({ 'idempotency-key': 'the-last-word' })).statusCode, 409, 'its key stays bound to it')
    recover()
    await until(() => !goesOn(), 40_000)
  })
}

t.test('a refused stop is not over while nothing tells whether what is shown is an older run that ends', async t => {
  const settings = { simulator: { liveAfterMs: 900, stopRefusal: '400' } } as const
  const { start, stop, goesOn, states, simulator, meeting } = await world(t, settings)
  await start()
  await pause(1_100)
  t.equal((await stop()).statusCode, 200)
  // A second later, by the vendor's clock.
  await pause(2_100)
  simulator.startFromBrowser(meeting)
  const answers = simulator.fail({ match: { method: 'GET', path: '/livestreams/*' }, status: 500, body: {} })
  t.equal((await stop()).statusCode, 200, 'as after any look that shows nothing')
  // Longer than the second look takes to come.
  await pause(9_000)
  t.strictSame((await states()).toSorted(), ['done', 'unknown'])
  answers()
  await until(() => !goesOn(), 20_000)
  await until(async () => (await states()).join() === 'done,done', 20_000)
})
