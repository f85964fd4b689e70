import t from 'tap'
import type { LivestreamSession } from '../../../src/domain/livestream.ts'
import { analyticsIn } from '../../../src/store/tables/analytics.ts'
import { livestreamsIn } from '../../../src/store/tables/livestreams.ts'
import { sessionsIn } from '../../../src/store/tables/sessions.ts'
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
    overall: () => analytics.overall('acme', {}),
    daywise: () => analytics.daywise('acme', {})
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
