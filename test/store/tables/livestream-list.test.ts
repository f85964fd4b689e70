import t from 'tap'
import { type LivestreamFilter, livestreamsIn } from '../../../src/store/tables/livestreams.ts'
import { meetingsIn } from '../../../src/store/tables/meetings.ts'
import { storeWithTenants } from '../../support/store/helper.ts'

const day = (n: number) => `2026-11-0${n}T00:00:00.000Z`

t.test('one store with a few livestreams', async t => {
  const { store } = await storeWithTenants(t)
  const livestreams = livestreamsIn(store)
  await meetingsIn(store).assign('acme', 'default', ['m1', 'm2'], 1_000)
  await meetingsIn(store).assign('globex', 'default', ['m3'], 1_000)
  const see = async (tenantId: string, id: string, meetingId: string | null, status: string, created_at: string) =>
    livestreams.observe(
      { id, tenantId, upstream: 'default', meetingId },
      { id, status, created_at },
      Date.UTC(2026, 11)
    )
  await see('acme', 'a1', 'm1', 'IDLE', day(1))
  await see('acme', 'a2', 'm1', 'LIVE', day(2))
  await see('acme', 'a3', 'm2', 'LIVE', day(3))
  await see('acme', 'a4', null, 'IDLE', day(4))
  await see('acme', 'a5', null, 'IDLE', day(4))
  await see('globex', 'g1', 'm3', 'LIVE', day(5))
  const ids = async (filter: Partial<LivestreamFilter>) =>
    (await livestreams.list('acme', { pageNo: 1, perPage: 100, ...filter })).items.map(({ id }) => id)

  t.test('the newest come first unless the oldest are asked for; those of one moment are ordered by id', async t => {
    t.strictSame(await ids({}), ['a4', 'a5', 'a3', 'a2', 'a1'])
    t.strictSame(await ids({ oldestFirst: true }), ['a1', 'a2', 'a3', 'a4', 'a5'])
  })

  t.test('each filter alone and all together', async t => {
    t.strictSame(await ids({ meetingId: 'm1' }), ['a2', 'a1'])
    t.strictSame(await ids({ meetingId: 'm3' }), [])
    t.strictSame(await ids({ excludeMeetings: true }), ['a4', 'a5'])
    t.strictSame(await ids({ excludeMeetings: false, status: 'LIVE' }), ['a3', 'a2'])
    t.strictSame(await ids({ createdFromMs: Date.parse(day(2)), createdToMs: Date.parse(day(3)) }), ['a3', 'a2'])
    t.strictSame(await ids({ meetingId: 'm1', status: 'LIVE', createdFromMs: Date.parse(day(2)) }), ['a2'])
    t.strictSame(await ids({ status: "LIVE' or '1'='1" }), [])
  })

  t.test('pages follow one another, and each says how many there are in all', async t => {
    const lists = await Promise.all([1, 2, 3, 4].map(pageNo => livestreams.list('acme', { pageNo, perPage: 2 })))
    t.strictSame(
      lists.map(({ items }) => items.map(({ id }) => id)),
      [['a4', 'a5'], ['a3', 'a2'], ['a1'], []]
    )
    t.ok(lists.every(({ total }) => total === 5))
  })

  t.test('each says when it was seen last, and in which meeting it is by our own knowledge', async t => {
    const { items } = await livestreams.list('acme', { pageNo: 1, perPage: 1, meetingId: 'm1' })
    t.strictSame(items, [
      { id: 'a2', status: 'LIVE', created_at: day(2), meeting_id: 'm1', observed_at: '2026-12-01T00:00:00.000Z' }
    ])
  })

  t.test('a moment of creation that nobody can read is replaced by the moment of the first look', async t => {
    await see('acme', 'a6', 'm1', 'IDLE', 'last Friday')
    t.strictSame(await ids({ createdFromMs: Date.UTC(2026, 11), createdToMs: Date.UTC(2026, 11) }), ['a6'])
  })
})
