import t from 'tap'
import { meetingsIn } from '../../../src/store/tables/meetings.ts'
import { manualClock } from '../../support/clock.ts'
import { gateway, type TestContext, type WorldOptions } from '../../support/gateway.ts'

/** Globex holds the meeting that acme has started, half a minute ago and more; the vendor hides the run. */
async function reassigned(t: TestContext, simulator: WorldOptions['simulator'] = {}) {
  const clock = manualClock()
  const hiding = { activeDuringInvoked: '404', liveAfterMs: 3_600_000, stopRefusal: '404', ...simulator } as const
  const world = await gateway(t, { clock, simulator: hiding, config: { readTtlMs: 1 } })
  const { asAcme, asGlobex, meeting, store, directory } = world
  const path = `/v2/meetings/${meeting}`
  const { id } = (await asAcme('POST', `${path}/livestreams`)).json().data
  await meetingsIn(store).release(meeting, clock.now())
  await meetingsIn(store).assign('globex', 'default', [meeting], clock.now())
  await directory.pull()
  return {
    ...world,
    clock,
    id,
    start: () => asGlobex('POST', `${path}/livestreams`),
    stop: () => asGlobex('POST', `${path}/active-livestream/stop`),
    read: () => asGlobex('GET', `${path}/active-livestream`),
    async row() {
      const wanted = store.sql.selectFrom('livestreams').selectAll().where('id', '=', id)
      return (await store.engine.read(wanted.compile()))[0]
    }
  }
}

for (const passedMs of [0, 31_000]) {
  t.test(`a hidden run of the meeting's last holder, begun ${passedMs} ms ago, has no second one begun`, async t => {
    const { start, id, clock, simulator } = await reassigned(t, { startWhileLive: 'second' })
    clock.advance(passedMs)
    const reply = await start()
    t.equal(reply.statusCode, 200)
    t.equal(reply.json().data.id, id)
    t.equal(simulator.livestreams().flatMap(({ sessions }) => sessions).length, 1)
  })

  t.test(`a stop does not leave it to itself either: ${passedMs} ms`, async t => {
    const { stop, clock, simulator } = await reassigned(t)
    clock.advance(passedMs)
    t.match((await stop()).json().error, { type: 'upstream_refused', outcome: 'unknown' }, 'it is sent again')
    t.equal(simulator.livestreams()[0]?.status, 'INVOKED')
  })
}

t.test('the new holder hears nothing of a run that is over, and the vendor is asked once', async t => {
  const { read, row, clock, id, simulator, asGlobex } = await reassigned(t)
  clock.advance(31_000)
  simulator.end(id)
  const asked = () => simulator.journal.filter(({ target }) => target.includes(`/livestreams/${id}`)).length
  for (let i = 0; i < 2; i++) t.equal((await read()).statusCode, 404)
  t.equal(asked(), 1)
  t.match(await row(), { status: 'IDLE', tenant_id: 'acme', released_at: Number })
  t.strictSame((await asGlobex('GET', '/v2/livestreams')).json().data, [])
  t.equal((await asGlobex('GET', `/v2/livestreams/${id}`)).statusCode, 404)
})

t.test('a vendor that shows what is over as active tells the new holder nothing of it', async t => {
  const { read, start, row, clock, id, simulator, asGlobex, meeting } = await reassigned(t, { activeShowsEnded: true })
  clock.advance(31_000)
  simulator.end(id)
  for (let i = 0; i < 2; i++) t.equal((await read()).statusCode, 404)
  t.equal((await asGlobex('GET', `/v2/meetings/${meeting}/livestream`)).statusCode, 404)
  t.match(await row(), { status: 'IDLE', tenant_id: 'acme', released_at: Number })
  t.strictSame((await asGlobex('GET', '/v2/livestreams')).json().data, [])
  t.equal((await asGlobex('GET', `/v2/livestreams/${id}`)).statusCode, 404)
  t.equal((await start()).statusCode, 201)
  t.match(await row(), { status: 'INVOKED', tenant_id: 'globex', released_at: null }, 'its own run is its own')
})

t.test('contract L1 does not tell it from one that is over: as long as it may be to come, it is', async t => {
  const { start, id, simulator } = await reassigned(t, { contract: 'L1' })
  const reply = await start()
  t.equal(reply.statusCode, 200)
  t.match(reply.json().data, { id, status: 'INVOKED' })
  t.equal(simulator.livestreams().length, 1)
})
