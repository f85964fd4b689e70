import t from 'tap'
import { simulate } from '../../support/simulator/helper.ts'

t.test('the figures count runs and their seconds, overall and by day', async t => {
  const { simulator, clock, call, ran } = await simulate(t)
  const { id } = simulator.addMeeting()
  await ran(id, 100)
  await ran(id, 50)
  clock.pass(86_400_000)
  await ran(id, 10)
  t.strictSame((await call('GET', '/analytics/livestreams/daywise')).json.data, [
    { date: '2026-01-05T00:00:00.000Z', count: 2, total_ingest_seconds: 150, total_viewer_seconds: 148 },
    { date: '2026-01-06T00:00:00.000Z', count: 1, total_ingest_seconds: 10, total_viewer_seconds: 10 }
  ])
  t.strictSame((await call('GET', '/analytics/livestreams/overall?end_time=2026-01-06T00:00:00Z')).json.data, [
    { date: '2026-01-06T00:00:00.000Z', count: 2, total_ingest_seconds: 150, total_viewer_seconds: 148 }
  ])
  t.match(await call('GET', '/analytics/livestreams/overall?start_time=1767607200'), { status: 422 })
})

t.test('overall is one object in the schema', async t => {
  const { call } = await simulate(t, { lists: 'schema' })
  t.strictSame((await call('GET', '/analytics/livestreams/overall')).json.data, {
    count: 0,
    total_ingest_seconds: 0,
    total_viewer_seconds: 0
  })
})
