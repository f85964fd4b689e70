import { randomUUID } from 'node:crypto'
import t from 'tap'
import { UpstreamFailed } from '../../../src/domain/refusals/failures.ts'
import { Changes } from '../../../src/lifecycle/context.ts'
import { type Contradiction, putRight } from '../../../src/lifecycle/resources/misplaced.ts'
import { auditEventsIn } from '../../../src/store/tables/audit/audit-events.ts'
import { livestreamsIn } from '../../../src/store/tables/livestreams.ts'
import { meetingsIn } from '../../../src/store/tables/meetings.ts'
import { misplacedIn } from '../../../src/store/tables/misplaced.ts'
import type { Provider } from '../../../src/upstream/provider.ts'
import { runOf, type TestContext } from '../../support/broadcast/reconciling.ts'
import { manualClock } from '../../support/clock.ts'
import { storeWithTenants } from '../../support/store/helper.ts'

/** acme has claimed globex' livestream `l1` for its meeting `m1`; it is in `m2`. */
async function world(t: TestContext) {
  const { store } = await storeWithTenants(t)
  const clock = manualClock()
  const [livestreams, meetings] = [livestreamsIn(store), meetingsIn(store)]
  await meetings.assign('acme', 'default', ['m1'], 1_000)
  await meetings.assign('globex', 'default', ['m2'], 1_000)
  const claim = { id: 'l1', tenantId: 'acme', upstream: 'default', meetingId: 'm1' }
  await livestreams.observe(claim, { id: 'l1', status: 'INVOKED' }, 2_000)
  const vendor = { asked: 0, names: 'm2' as string | null, trouble: null as Error | null, before: async () => {} }
  const provider = {
    async findLivestream(id: string) {
      vendor.asked += 1
      await vendor.before()
      if (vendor.trouble !== null) throw vendor.trouble
      return { livestream: runOf(id, { meeting_id: vendor.names }), sessions: [] }
    }
  } as unknown as Provider
  const put = putRight({
    ...{ engine: store.engine, meetings, clock, auditEvents: auditEventsIn(store), misplaced: misplacedIn(store) },
    ...{ changes: new Changes(), log: { warn() {} }, forget() {}, deadline: () => AbortSignal.timeout(60_000) }
  })
  const known = { id: 'l1', tenantId: 'acme', upstream: 'default', meetingId: 'm1', isProved: false }
  return {
    ...{ store, clock, vendor, livestreams, meetings, claim },
    put: (how: Partial<Contradiction> = {}) =>
      put({ livestreamId: 'l1', known, meetingId: 'm2', upstream: 'default', ...how }, provider),
    isWith: async () =>
      (await livestreams.find('acme', 'l1')) !== null ? 'acme' : (await livestreams.find('globex', 'l1'))?.tenantId
  }
}

t.test('the vendor is asked once for all who doubt, and again after 5 s', async t => {
  const { put, vendor, clock, isWith } = await world(t)
  vendor.names = 'm1'
  t.strictSame(await Promise.all([put(), put()]), [false, false])
  vendor.names = 'm2'
  clock.advance(4_999)
  t.equal(await put(), false)
  t.equal(vendor.asked, 1)
  t.equal(await isWith(), 'acme')
  clock.advance(1)
  t.strictSame((await Promise.all([put(), put()])).sort(), [false, true], 'one of them writes it')
  t.equal(vendor.asked, 2)
  t.equal(await isWith(), 'globex')
})

t.test('a livestream stays where it is when the vendor fails, or names another meeting or none', async t => {
  for (const answer of [{ names: 'm3' }, { names: null }, { trouble: new UpstreamFailed() }]) {
    const { put, vendor, isWith } = await world(t)
    Object.assign(vendor, answer)
    t.equal(await put(), false)
    t.equal(await put(), false)
    t.equal(vendor.asked, 1, 'a failure is shared too')
    t.equal(await isWith(), 'acme')
  }
})

t.test('a proved livestream moves for nothing, and nobody is asked', async t => {
  const { put, vendor } = await world(t)
  t.equal(
    await put({ known: { id: 'l1', tenantId: 'acme', upstream: 'default', meetingId: 'm1', isProved: true } }),
    false
  )
  t.equal(vendor.asked, 0)
})

t.test('a vendor account moves nothing into a meeting of another one', async t => {
  const { put, isWith } = await world(t)
  t.equal(await put({ upstream: 'other' }), false)
  t.equal(await isWith(), 'acme')
})

t.test('one vendor account moves no livestream of another, and nobody is asked', async t => {
  const { put, isWith, meetings, vendor } = await world(t)
  await meetings.assign('globex', 'other', ['m3'], 1_000)
  vendor.names = 'm3'
  t.equal(await put({ upstream: 'other', meetingId: 'm3' }), false)
  t.equal(vendor.asked, 0)
  t.equal(await isWith(), 'acme')
})

t.test('a livestream that has changed while the vendor was asked is not written over', async t => {
  for (const change of ['proved', 'given away'] as const) {
    const { put, vendor, livestreams, meetings, claim, store, isWith } = await world(t)
    vendor.before = async () => {
      if (change === 'proved')
        await livestreams.observe({ ...claim, isProved: true }, { id: 'l1', status: 'LIVE' }, 3_000)
      else await meetings.release('m2', 3_000)
    }
    t.equal(await put(), change === 'given away', change)
    t.equal(await isWith(), change === 'given away' ? undefined : 'acme')
    const [row] = await store.engine.read(store.sql.selectFrom('livestreams').selectAll().compile())
    t.equal(row?.meeting_id, change === 'given away' ? 'm2' : 'm1')
  }
})

t.test('the vendor may write the meeting in another case than the one that is known', async t => {
  const { put, vendor, livestreams, meetings } = await world(t)
  const id = randomUUID()
  await meetings.assign('globex', 'default', [id], 1_000)
  vendor.names = id.toUpperCase()
  t.equal(await put({ meetingId: vendor.names }), true)
  t.match(await livestreams.lastOfMeeting({ id, tenantId: 'globex', upstream: 'default' }), { id: 'l1' })
})
