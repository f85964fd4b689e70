import t from 'tap'
import { livestreamsIn } from '../../../src/store/tables/livestreams.ts'
import { meetingsIn } from '../../../src/store/tables/meetings.ts'
import { storeWithTenants } from '../../support/store/helper.ts'

/** Acme had m1 with a1 in it. */
async function world(t: Parameters<typeof storeWithTenants>[0]) {
  const { store } = await storeWithTenants(t)
  const livestreams = livestreamsIn(store)
  const meetings = meetingsIn(store)
  const see = (tenantId: string, id: string, atMs: number, status = 'LIVE') =>
    livestreams.observe({ id, tenantId, upstream: 'default', meetingId: 'm1' }, { id, status }, atMs)
  /** Tenants that see it: by id, in the list, as the last of the meeting and as unfinished must all say the same. */
  const seers = async (id: string): Promise<string[]> => {
    const found: string[] = []
    for (const tenant of ['acme', 'globex']) {
      const ways = [
        (await livestreams.find(tenant, id)) !== null,
        (await livestreams.list(tenant, { pageNo: 1, perPage: 9 })).items.some(item => item.id === id),
        (await livestreams.unfinished(tenant, { limit: 9 })).some(item => item.id === id)
      ]
      if (ways[0]) found.push(tenant)
      t.ok(
        ways.every(way => way === ways[0]),
        `all ways agree on ${id} for ${tenant}`
      )
    }
    return found
  }
  await meetings.assign('acme', 'default', ['m1', 'm2'], 1_000)
  await see('acme', 'a1', 2_000)
  await livestreams.observe(
    { id: 'other', tenantId: 'acme', upstream: 'default', meetingId: 'm2' },
    { id: 'other', status: 'LIVE' },
    2_000
  )
  return { livestreams, meetings, see, seers }
}

t.test('with a meeting its livestreams are taken from the tenant, and no others', async t => {
  const { meetings, livestreams, seers } = await world(t)
  t.strictSame(await seers('a1'), ['acme'])
  await meetings.release('m1', 3_000)
  t.strictSame(await seers('a1'), [])
  t.equal(await livestreams.lastOfMeeting({ id: 'm1', tenantId: 'acme', upstream: 'default' }), null)
  t.strictSame(await seers('other'), ['acme'])
})

t.test('a livestream that is seen late, after the meeting was taken away, stays hidden', async t => {
  const { meetings, see, seers } = await world(t)
  await meetings.release('m1', 3_000)
  await see('acme', 'a1', 4_000)
  await see('acme', 'new', 4_000)
  t.strictSame(await seers('a1'), [])
  t.strictSame(await seers('new'), [])
  await meetings.assign('globex', 'default', ['m1'], 5_000)
  await see('acme', 'a1', 6_000)
  await see('acme', 'newer', 6_000)
  t.strictSame(await seers('a1'), [])
  t.strictSame(await seers('newer'), [])
})

t.test('the next tenant sees nothing of the one before, until the vendor shows it in its meeting', async t => {
  const { meetings, see, seers } = await world(t)
  await meetings.release('m1', 3_000)
  await meetings.assign('globex', 'default', ['m1'], 4_000)
  t.strictSame(await seers('a1'), [])
  await see('globex', 'a1', 5_000)
  t.strictSame(await seers('a1'), ['globex'])
  await see('acme', 'a1', 6_000, 'INVOKED')
  t.strictSame(await seers('a1'), ['globex'], 'a late look of the tenant before takes nothing back')
})

t.test('a tenant that gets its meeting back gets back what it had seen in it', async t => {
  const { meetings, see, seers } = await world(t)
  await meetings.release('m1', 3_000)
  await see('acme', 'late', 4_000)
  await meetings.assign('acme', 'default', ['m1'], 5_000)
  t.strictSame(await seers('a1'), ['acme'])
  t.strictSame(await seers('late'), ['acme'])
})

t.test(
  'a livestream that changed hands meanwhile comes back when the vendor shows it again, and not before',
  async t => {
    const { meetings, see, seers } = await world(t)
    await meetings.release('m1', 3_000)
    await meetings.assign('globex', 'default', ['m1'], 4_000)
    await see('globex', 'a1', 5_000)
    await see('globex', 'g1', 5_000)
    await meetings.release('m1', 6_000)
    await meetings.assign('acme', 'default', ['m1'], 7_000)
    t.strictSame(await seers('a1'), [])
    t.strictSame(await seers('g1'), [])
    await see('acme', 'a1', 8_000)
    t.strictSame(await seers('a1'), ['acme'])
  }
)

t.test('assigning a meeting that somebody else holds gives nobody anything', async t => {
  const { meetings, seers } = await world(t)
  t.strictSame([...(await meetings.assign('globex', 'default', ['m1'], 3_000))], [['m1', 'taken']])
  t.strictSame(await seers('a1'), ['acme'])
})
