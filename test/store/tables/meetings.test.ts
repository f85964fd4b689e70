import { randomUUID } from 'node:crypto'
import t from 'tap'
import { Conflict, StoreError } from '../../../src/store/engine/engine.ts'
import { meetingsIn } from '../../../src/store/tables/meetings.ts'
import { refusalOf, storeWithTenants } from '../../support/store/helper.ts'

const page = { pageNo: 1, perPage: 100 }

t.test("a tenant finds its own meeting; somebody else's and a missing one are null alike", async t => {
  const meetings = meetingsIn((await storeWithTenants(t)).store)
  await meetings.assign('acme', 'default', ['m1'], 1_000)
  t.strictSame(await meetings.find('acme', 'm1'), { id: 'm1', tenantId: 'acme', upstream: 'default' })
  t.equal(await meetings.find('globex', 'm1'), null)
  t.equal(await meetings.find('globex', 'missing'), null)
  t.strictSame(await meetings.list('globex', page), { rows: [], total: 0 })
  t.strictSame(await meetings.listAll('globex'), [])
})

t.test('assigning says of each meeting whether it is new, was there already or is taken', async t => {
  const meetings = meetingsIn((await storeWithTenants(t)).store)
  await meetings.assign('globex', 'default', ['theirs'], 1_000)
  await meetings.assign('acme', 'default', ['mine'], 1_000)
  const result = await meetings.assign('acme', 'other', ['new', 'mine', 'theirs'], 2_000)
  t.strictSame(
    [...result],
    [
      ['new', 'assigned'],
      ['mine', 'unchanged'],
      ['theirs', 'taken']
    ]
  )
  t.match(await meetings.find('acme', 'mine'), { upstream: 'default' }, 'a meeting stays with its upstream')
  t.match(await meetings.find('acme', 'new'), { upstream: 'other' })
  t.equal(await meetings.find('acme', 'theirs'), null)
  t.ok(await meetings.find('globex', 'theirs'))
})

t.test('each meeting has one owner when two assign at once, and both are told the truth', async t => {
  const { store } = await storeWithTenants(t)
  const theirs = meetingsIn(store)
  let raced = false
  const write: typeof store.engine.write = async (...args) => {
    if (!raced) {
      raced = true
      await theirs.assign('globex', 'default', ['b'], 1_000)
    }
    return store.engine.write(...args)
  }
  const ours = meetingsIn({ ...store, engine: { ...store.engine, write } })
  const recorded: string[][] = []
  const result = await ours.assign('acme', 'default', ['a', 'b'], 2_000, assigned => {
    recorded.push(assigned)
    return []
  })
  t.strictSame(Object.fromEntries(result), { a: 'assigned', b: 'taken' })
  t.strictSame(recorded.at(-1), ['a'], 'what is recorded is what was done')
})

t.test('a UUID in another case is the meeting that is there, whose ever it is', async t => {
  const meetings = meetingsIn((await storeWithTenants(t)).store)
  const [mine, theirs, fresh] = [randomUUID(), randomUUID().toUpperCase(), randomUUID()]
  await meetings.assign('acme', 'default', [mine], 1_000)
  await meetings.assign('globex', 'default', [theirs], 1_000)
  const asked = [mine.toUpperCase(), theirs.toLowerCase(), fresh, fresh.toUpperCase()]
  const result = await meetings.assign('acme', 'default', asked, 2_000)
  t.strictSame([...result.values()], ['unchanged', 'taken', 'assigned'])
  t.strictSame((await meetings.listAll('acme')).length, 2)
})

t.test('thousands of meetings can be assigned at once', async t => {
  const meetings = meetingsIn((await storeWithTenants(t)).store)
  const ids = Array.from({ length: 1_203 }, (_, i) => `m${i}`)
  const result = await meetings.assign('acme', 'default', ids, 1_000)
  t.equal(result.size, 1_203)
  t.ok([...result.values()].every(was => was === 'assigned'))
  t.equal((await meetings.list('acme', page)).total, 1_203)
  t.strictSame(await meetings.assign('acme', 'default', [], 1_000), new Map())
  const nobody = meetings.assign('nobody', 'default', ['m9999'], 1_000)
  t.match(await refusalOf(nobody), { constructor: StoreError, reason: /FOREIGN ?KEY/i })
})

t.test('a released meeting belongs to nobody until it is assigned again, to whomever', async t => {
  const meetings = meetingsIn((await storeWithTenants(t)).store)
  await meetings.assign('acme', 'default', ['m1'], 1_000)
  t.match(await meetings.ownerOf('m1'), { tenantId: 'acme' })
  t.equal(await meetings.release('m1', 2_000), true)
  t.equal(await meetings.release('m1', 3_000), false)
  t.equal(await meetings.release('missing', 3_000), false)
  t.equal(await meetings.find('acme', 'm1'), null)
  t.equal(await meetings.ownerOf('m1'), null)
  t.equal((await meetings.list('acme', page)).total, 0)
  t.strictSame(await meetings.listAll(), [])

  t.strictSame([...(await meetings.assign('globex', 'other', ['m1'], 4_000))], [['m1', 'assigned']])
  const found = await meetings.find('globex', 'm1')
  t.strictSame(found, { id: 'm1', tenantId: 'globex', upstream: 'default' }, 'it stays with its vendor account')
  t.equal(await meetings.find('acme', 'm1'), null)
  t.equal(await meetings.release('m1', 5_000), true)
  await meetings.assign('acme', 'other', ['m1'], 6_000, () => [], true)
  t.match(await meetings.find('acme', 'm1'), { upstream: 'other' }, 'unless somebody knows better')
  t.equal(await meetings.upstreamOf('m1'), 'other')
  t.equal(await meetings.upstreamOf('missing'), null)
})

t.test('an id that is named twice is assigned once, and a creation finds its meeting assigned already', async t => {
  const { store } = await storeWithTenants(t)
  const meetings = meetingsIn(store)
  t.strictSame([...(await meetings.assign('acme', 'default', ['m1', 'm1'], 1_000))], [['m1', 'assigned']])
  const owner = { id: 'm1', tenantId: 'acme', upstream: 'default' }
  await store.engine.write(meetings.created(owner, { id: 'm1', title: 'Friday' }, 2_000))
  t.match((await meetings.list('acme', page)).rows, [{ meeting: { id: 'm1', title: 'Friday' } }])
  await t.rejects(store.engine.write(meetings.created({ ...owner, tenantId: 'globex' }, { id: 'm1' }, 3_000)))
})

t.test('the list for the operator has every assigned meeting with its owner', async t => {
  const meetings = meetingsIn((await storeWithTenants(t)).store)
  await meetings.assign('globex', 'default', ['m3'], 1_000)
  await meetings.assign('acme', 'default', ['m2', 'm1'], 1_000)
  const all = (await meetings.listAll()).map(({ id, tenantId }) => `${tenantId} ${id}`)
  t.strictSame(all, ['acme m1', 'acme m2', 'globex m3'])
  t.strictSame(
    (await meetings.listAll('globex')).map(({ id }) => id),
    ['m3']
  )
})

t.test('a created meeting is known as it was seen; one that somebody holds undoes the whole transaction', async t => {
  const { store } = await storeWithTenants(t)
  const meetings = meetingsIn(store)
  const owner = { id: 'm1', tenantId: 'acme', upstream: 'default' }
  await store.engine.write(meetings.created(owner, { id: 'm1', title: 'Friday show' }, 2_000))
  t.match(await meetings.list('acme', page), {
    total: 1,
    rows: [{ id: 'm1', upstream: 'default', observedAtMs: 2_000, meeting: { title: 'Friday show' } }]
  })
  const taken = [
    ...meetings.created({ ...owner, id: 'm2', tenantId: 'globex' }, { id: 'm2' }, 3_000),
    ...meetings.created({ ...owner, tenantId: 'globex' }, { id: 'm1' }, 3_000)
  ]
  t.match(await refusalOf(store.engine.write(taken)), { constructor: Conflict })
  t.equal(await meetings.find('globex', 'm2'), null)
  t.ok(await meetings.find('acme', 'm1'))
})

t.test('a look at a meeting is kept for its owner and changes no owner', async t => {
  const { store } = await storeWithTenants(t)
  const meetings = meetingsIn(store)
  await meetings.assign('acme', 'default', ['m1'], 1_000)
  await store.engine.write(meetings.observed('acme', { id: 'm1', title: 'New title' }, 2_000))
  await store.engine.write(meetings.observed('globex', { id: 'm1', title: 'Forged' }, 3_000))
  await store.engine.write(meetings.observed('globex', { id: 'm9', title: 'Unknown' }, 3_000))
  const { rows } = await meetings.list('acme', page)
  t.match(rows, [{ observedAtMs: 2_000, meeting: { title: 'New title', observed_at: '1970-01-01T00:00:02.000Z' } }])
  t.equal(await meetings.find('globex', 'm9'), null)
})

t.test('assigning and releasing are among the changes; what was only looked at is not', async t => {
  const { store } = await storeWithTenants(t)
  const meetings = meetingsIn(store)
  await meetings.assign('acme', 'default', ['m1'], 1_000)
  const [assigned] = await meetings.changedSince(0)
  t.match(assigned, { id: 'm1' })
  const revision = assigned?.revision ?? 0
  await store.engine.write(meetings.observed('acme', { id: 'm1' }, 2_000))
  await meetings.assign('acme', 'default', ['m1'], 3_000)
  t.strictSame(await meetings.changedSince(revision), [])
  await meetings.release('m1', 4_000)
  t.match(await meetings.changedSince(revision), [{ id: 'm1' }])
})

t.test('a meeting that the vendor does not have keeps what was seen of it, with the time of the question', async t => {
  const { store } = await storeWithTenants(t)
  const meetings = meetingsIn(store)
  await meetings.assign('acme', 'default', ['m1'], 1_000)
  await store.engine.write(meetings.observed('acme', { id: 'm1', title: 'Friday show' }, 2_000))
  const rowAfter = async (tenantId: string, nowMs: number) => {
    await store.engine.write(meetings.missing(tenantId, 'm1', nowMs))
    return store.engine.read(store.sql.selectFrom('meetings').select(['title', 'observed_at']).compile())
  }
  t.strictSame(await rowAfter('globex', 3_000), [{ title: 'Friday show', observed_at: 2_000 }], 'not the tenant’s')
  t.strictSame(await rowAfter('acme', 4_000), [{ title: 'Friday show', observed_at: 4_000 }])
})
