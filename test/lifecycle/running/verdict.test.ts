import t from 'tap'
import { verdictOf } from '../../../src/lifecycle/running/verdict.ts'

const dateMs = Date.parse('2026-03-01T10:00:00Z')
const now = { earliestMs: dateMs + 60_000, latestMs: dateMs + 61_000 }
const verdictOn = (invoked_time: string) =>
  verdictOf({ dateMs, sessionId: null }, [{ id: 's1', invoked_time, stopped_time: null }], {
    areNewest: true,
    ageMs: 60_000,
    now
  })

t.test('a run is proved by its begin in each spelling of a zone, and never without one', async t => {
  for (const zone of ['Z', '.000Z', '+00:00', '+0000', '.123456+00:00']) {
    t.equal(verdictOn(`2026-03-01T09:59:00${zone}`), 'ending', zone)
    t.equal(verdictOn(`2026-03-01T10:00:30${zone}`), 'newer', zone)
  }
  t.equal(verdictOn('2026-03-01T18:59:00+09:00'), 'ending')
  t.equal(verdictOn('Sun, 01 Mar 2026 10:00:30 GMT'), 'newer')
  // East of Greenwich what began half a minute ago would look hours old, and the gateway would end it.
  for (const time of ['2026-03-01T10:00:30', '2026-03-01 10:00:30.000', '2026-03-01T09:59:00', '2026-03-01'])
    t.equal(verdictOn(time), 'maybe', time)
})
