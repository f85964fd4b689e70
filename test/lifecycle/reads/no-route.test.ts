import t from 'tap'
import { manualClock } from '../../support/clock.ts'
import { gateway } from '../../support/gateway.ts'
import { until } from '../../support/until.ts'

const noRoute = { status: 404, body: { message: 'no Route matched with those values' } }

for (const answers of ['everything', 'the stop'] as const) {
  t.test(
    `a router that answers ${answers} with a 404 of its own has stopped nothing: the stop is repeated`,
    async t => {
      const clock = manualClock()
      const world = await gateway(t, { clock, slowDisk: true, simulator: { now: clock.now } })
      const { asAcme, meeting, simulator, store } = world
      const stops = store.sql.selectFrom('operations').select('state').where('kind', '=', 'stop')
      const state = async () => (await store.engine.read(stops.compile())).map(({ state }) => state).join()
      const isLive = () => simulator.livestreams()[0]?.status === 'LIVE'
      t.equal((await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).statusCode, 201)
      // So long that no run is hidden any more.
      clock.advance(60_000)

      const method = answers === 'the stop' ? { method: 'POST' } : {}
      const recover = simulator.fail({ match: method, ...noRoute })
      const reply = await asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)
      t.equal(reply.statusCode, 502)
      t.match(reply.json().error, { type: 'upstream_malformed', outcome: 'unknown' })
      const before = simulator.journal.length
      await until(() => {
        clock.advance(250)
        return simulator.journal.length >= before + 4
      })
      t.equal(await state(), 'unknown')
      t.ok(isLive())

      recover()
      await until(async () => {
        clock.advance(250)
        return (await state()) === 'done'
      })
      t.notOk(isLive())
    }
  )
}
