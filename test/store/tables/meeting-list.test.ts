import t from 'tap'
import type { Store } from '../../../src/store/store.ts'
import type { Meetings } from '../../../src/store/tables/meetings.ts'
import { meetingsIn } from '../../../src/store/tables/meetings.ts'
import fc from '../../support/runner/properties.ts'
import { storeWithTenants } from '../../support/store/helper.ts'

const letters = [..."aBcXyZ019 %_\\\\'?*[]äÖüßéÀıİσςΣЖя中🎥"]
const page = { pageNo: 1, perPage: 100 }

/** Puts a meeting with this title into the store. */
async function put(store: Store, meetings: Meetings, id: string, title: string | null, atMs: number): Promise<void> {
  await store.engine.write(meetings.created({ id, tenantId: 'acme', upstream: 'default' }, { id, title }, atMs))
}

async function idsOf(meetings: Meetings, filter: Parameters<Meetings['list']>[1]): Promise<string[]> {
  return (await meetings.list('acme', filter)).rows.map(({ id }) => id)
}

t.test('one store with a few meetings', async t => {
  const { store } = await storeWithTenants(t)
  const meetings = meetingsIn(store)
  await put(store, meetings, 'm1', 'Friday show', 1_000)
  await put(store, meetings, 'm2', '100 % live', 2_000)
  await put(store, meetings, 'm3', 'snake_case', 3_000)
  await put(store, meetings, 'm4', `Bob's "best" \\ show`, 4_000)
  await meetings.assign('acme', 'default', ['UPPER-case-5'], 4_000)
  await meetings.assign('globex', 'default', ['m6'], 5_000)

  t.test('the newest come first; those of the same moment are ordered by id', async t => {
    t.strictSame(await idsOf(meetings, page), ['UPPER-case-5', 'm4', 'm3', 'm2', 'm1'])
  })

  t.test('a status finds the meetings that were seen so, whatever their titles say', async t => {
    const store2 = (await storeWithTenants(t)).store
    const other = meetingsIn(store2)
    for (const [id, status, title] of [
      ['a1', 'ACTIVE', 'x'],
      ['i1', 'INACTIVE', '"status":"ACTIVE"'],
      ['i2', 'INACTIVE', '","status":"ACTIVE","x":"'],
      ['n1', undefined, 'ACTIVE']
    ] as const) {
      const meeting = { id, title, ...(status && { status }) }
      await store2.engine.write(other.created({ id, tenantId: 'acme', upstream: 'default' }, meeting, 1_000))
    }
    await other.assign('acme', 'default', ['u1'], 1_000)
    t.strictSame(await idsOf(other, { ...page, status: 'ACTIVE' }), ['a1'])
    t.strictSame(await idsOf(other, { ...page, status: 'INACTIVE' }), ['i1', 'i2'])
  })

  t.test('a meeting that was never looked at has its id and nothing else', async t => {
    const { rows } = await meetings.list('acme', { ...page, search: 'upper' })
    t.strictSame(rows, [
      {
        id: 'UPPER-case-5',
        upstream: 'default',
        observedAtMs: null,
        meeting: { id: 'UPPER-case-5', observed_at: null }
      }
    ])
  })

  t.test('pages follow one another, and each says how many there are in all', async t => {
    const pages = [1, 2, 3, 4].map(pageNo => meetings.list('acme', { pageNo, perPage: 2 }))
    const lists = await Promise.all(pages)
    t.strictSame(
      lists.map(({ rows }) => rows.map(({ id }) => id)),
      [['UPPER-case-5', 'm4'], ['m3', 'm2'], ['m1'], []]
    )
    t.ok(lists.every(({ total }) => total === 5))
  })

  t.test('both ends of a range are included', async t => {
    t.strictSame(await idsOf(meetings, { ...page, createdFromMs: 2_000, createdToMs: 3_000 }), ['m3', 'm2'])
    t.strictSame(await idsOf(meetings, { ...page, createdFromMs: 4_001 }), [])
    t.strictSame(await idsOf(meetings, { ...page, createdToMs: 1_000 }), ['m1'])
  })

  t.test('a search finds a part of id or title in any case', async t => {
    t.strictSame(await idsOf(meetings, { ...page, search: 'SHOW' }), ['m4', 'm1'])
    t.strictSame(await idsOf(meetings, { ...page, search: 'upper-CASE' }), ['UPPER-case-5'])
    t.strictSame(await meetings.list('acme', { ...page, search: 'm6' }), { rows: [], total: 0 })
  })

  t.test('percent, underscore, backslash and quotes are letters like others', async t => {
    t.strictSame(await idsOf(meetings, { ...page, search: '%' }), ['m2'])
    t.strictSame(await idsOf(meetings, { ...page, search: '_' }), ['m3'])
    t.strictSame(await idsOf(meetings, { ...page, search: '\\' }), ['m4'])
    t.strictSame(await idsOf(meetings, { ...page, search: "'" }), ['m4'])
    t.strictSame(await idsOf(meetings, { ...page, search: '"best"' }), ['m4'])
    t.strictSame(await idsOf(meetings, { ...page, search: `' or '1'='1` }), [])
    t.strictSame(await idsOf(meetings, { ...page, search: 'm_' }), [])
    t.strictSame((await meetings.list('acme', { ...page, search: '_' })).total, 1)
  })
})

t.test('a search finds a meeting by every part of its title, in any case, whatever letters it has', async t => {
  const { store } = await storeWithTenants(t)
  const meetings = meetingsIn(store)
  await meetings.assign(
    'acme',
    'default',
    Array.from({ length: 20 }, (_, i) => `m${i}`),
    1_000
  )
  const text = (minLength: number) => fc.string({ unit: fc.constantFrom(...letters), minLength, maxLength: 8 })
  const parts = fc.tuple(text(0), text(1), text(0))
  await fc.assert(
    fc.asyncProperty(fc.array(parts, { minLength: 20, maxLength: 20 }), async titles => {
      const ids = titles.map((_, i) => `m${i}`)
      await store.engine.write(
        titles.flatMap((title, i) => meetings.observed('acme', { id: `m${i}`, title: title.join('') }, 2_000))
      )
      const found = await Promise.all(
        titles.flatMap(([, part]) => [part, part.toUpperCase()].map(search => idsOf(meetings, { ...page, search })))
      )
      return found.every((list, i) => list.includes(ids[Math.floor(i / 2)] ?? ''))
    }),
    { numRuns: 10 }
  )
  t.pass('every part was found')
})
