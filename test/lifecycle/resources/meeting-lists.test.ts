import t from 'tap'
import { manualClock, steps } from '../../support/clock.ts'
import { gateway } from '../../support/gateway.ts'
import { until } from '../../support/until.ts'

t.test('a clock that is set does not keep a list from looking again', async t => {
  for (const stepMs of steps) {
    const clock = manualClock()
    const { asAcme, meeting, upstream, directory, store } = await gateway(t, { clock })
    const looks = () => upstream().filter(call => call === `GET /v2/meetings/${meeting}`).length
    const row = store.sql.selectFrom('meetings').select('observed_at').where('id', '=', meeting).compile()
    /** A meeting that was seen is written down behind the answer. */
    const list = async () => {
      await directory.pull()
      t.equal((await asAcme('GET', '/v2/meetings')).statusCode, 200)
      await until(async () => (await store.engine.read(row))[0]?.observed_at === clock.now())
    }
    await list()
    t.equal(looks(), 1)
    clock.step(stepMs)
    clock.advance(60_001)
    await list()
    t.equal(looks(), 2, `${stepMs} ms`)
    await list()
    t.equal(looks(), 2, 'and then it is fresh again')
  }
})
