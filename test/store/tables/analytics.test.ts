import t from 'tap'
import type { LivestreamSession } from '../../../src/domain/livestream.ts'
import type { RunNews } from '../../../src/domain/runs/run.ts'
import { moveRuns } from '../../../src/domain/runs/run-moves.ts'
import { analyticsIn } from '../../../src/store/tables/analytics.ts'
import { livestreamsIn } from '../../../src/store/tables/livestreams.ts'
import { broadcastRunsIn } from '../../../src/store/tables/runs/broadcast-runs.ts'
import { sessionsIn } from '../../../src/store/tables/sessions.ts'
import { how, seen, sent, stopped } from '../../support/ledger/news.ts'
import { storeWithTenants } from '../../support/store/helper.ts'

const owner = { id: 'l1', tenantId: 'acme', upstream: 'default', meetingId: null }
const wrong = [-1, 1e308, Number.NaN, Number.POSITIVE_INFINITY, 1_000_000_001]

async function world(t: Parameters<typeof storeWithTenants>[0]) {
  const { store } = await storeWithTenants(t)
  await livestreamsIn(store).observe(owner, { id: 'l1', status: 'LIVE' }, 1_000)
  const analytics = analyticsIn(store)
  return {
    see: (run: Partial<LivestreamSession>) =>
      store.engine.write([sessionsIn(store).runSeen(owner, { id: 'r1', ...run }, 2_000)]),
    /** As an earlier version would have kept it. */
    keep: (figure: number) =>
      store.engine.write([store.sql.updateTable('livestream_sessions').set({ ingest_seconds: figure }).compile()]),
    overall: () => analytics.overall('acme', {}, 9_000),
    daywise: () => analytics.daywise('acme', {}, 9_000)
  }
}

t.test('a value that is no figure is not kept, and leaves what was seen before', async t => {
  const { see, overall } = await world(t)
  for (const figure of wrong) {
    await see({ ingest_seconds: figure, viewer_seconds: figure })
    t.match(await overall(), { count: 1, total_ingest_seconds: 0, total_viewer_seconds: 0 }, String(figure))
  }
  await see({ ingest_seconds: 60, viewer_seconds: 30 })
  await see({ ingest_seconds: -60 })
  t.match(await overall(), { count: 1, total_ingest_seconds: 60, total_viewer_seconds: 30 })
})

t.test('a wrong figure that an earlier version has kept is not counted in', async t => {
  const { see, keep, overall, daywise } = await world(t)
  await see({ ingest_seconds: 60, viewer_seconds: 30 })
  for (const figure of [-5_000, 1e308, 1_000_000_001]) {
    await keep(figure)
    const figures = { count: 1, total_ingest_seconds: 0, total_viewer_seconds: 30 }
    t.match(await overall(), figures, String(figure))
    t.match(await daywise(), [figures])
  }
})

t.test('a livestream of which no session is ever shown counts by its runs in the ledger', async t => {
  const { store } = await storeWithTenants(t)
  const runs = broadcastRunsIn(store)
  const observe = (id: string) => livestreamsIn(store).observe({ ...owner, id }, { id, status: 'LIVE' }, 1_000)
  for (const id of ['l1', 'l2']) await observe(id)
  const day = 86_400_000
  let made = 0
  const note = async (news: RunNews): Promise<void> => {
    const moves = moveRuns(await runs.concerned(news), news, { ...how, newId: `run ${++made}` })
    await store.engine.write(moves.flatMap(move => runs.moved(move, false)))
  }
  const seenOf = (atMs: number, livestreamId: string, tenantId = 'acme'): RunNews =>
    seen(atMs, 'LIVE', { livestreamId, meetingId: null, tenantId })
  await note(seenOf(10_000, 'l1'))
  await note({ ...stopped(70_000, 'l1'), meetingId: null })
  await note(seenOf(day + 1_000, 'l1'))
  await note(seenOf(2_000, 'l2'))
  await note(seenOf(3_000, 'l3', 'globex'))
  await note(sent(4_000))
  await store.engine.write([sessionsIn(store).runSeen({ ...owner, id: 'l2' }, { id: 's2', ingest_seconds: 7 }, 2_000)])
  const analytics = analyticsIn(store)
  const nowMs = day + 31_000
  t.strictSame(await analytics.overall('acme', {}, nowMs), {
    count: 3,
    total_ingest_seconds: 60 + 30 + 7,
    total_viewer_seconds: 0
  })
  t.match(await analytics.daywise('acme', {}, nowMs), [{ count: 2 }, { count: 1, total_ingest_seconds: 30 }])
  t.match(await analytics.overall('acme', { fromMs: day }, nowMs), { count: 1 })
  t.match(await analytics.overall('globex', {}, nowMs), { count: 0 }, 'its livestream was never shown to it')
})
