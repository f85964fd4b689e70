import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import { createSimulator, type SimulatorOptions } from '../../../src/simulator/simulator.ts'
import { failureOf, providerAt, vendor } from '../../support/upstream/vendor.ts'

const soon = (): AbortSignal => AbortSignal.timeout(20_000)

interface Shown {
  id: string
  status: string
  meeting_id: string
}
const runs = (count: number, status: string): Shown[] =>
  Array.from({ length: count }, () => ({ id: randomUUID(), status, meeting_id: randomUUID() }))
const idsOf = (livestreams: { id: string }[]): string[] => livestreams.map(({ id }) => id).sort()
const page = (data: Shown[], total_count: number) => ({
  success: true,
  data,
  paging: { total_count, start_offset: 1, end_offset: data.length }
})

/** A vendor that answers each question for its list so. */
async function listing(t: Test, answer: (query: URLSearchParams) => unknown) {
  const { url, requests } = await vendor(t, (request, response) => {
    const { searchParams } = new URL(request.url ?? '', 'http://vendor')
    response.end(JSON.stringify(answer(searchParams)))
  })
  const provider = providerAt(t, { url, org: randomUUID(), key: 'k' })
  const look = () => provider.findRunning(soon())
  return {
    look,
    find: async () => (await look()).livestreams,
    asked: () => requests.map(({ url }) => url?.split('?')[1])
  }
}

/** One that knows filter and pages, but gives no more than `most` a page. */
const honest =
  (all: Shown[], most: number, isCounted = true) =>
  (query: URLSearchParams): unknown => {
    const wanted = all.filter(({ status }) => status === query.get('status'))
    const size = Math.min(most, Number(query.get('per_page')))
    const from = (Number(query.get('page_no')) - 1) * size
    const shown = wanted.slice(from, from + size)
    return isCounted ? page(shown, wanted.length) : { success: true, data: shown }
  }

const worlds: SimulatorOptions[] = [
  { contract: 'L1' },
  { contract: 'L2', lists: 'example' },
  { contract: 'L2', lists: 'schema' }
]
for (const world of worlds) {
  t.test(`all that runs in the account is found, and nothing else: ${JSON.stringify(world)}`, async t => {
    const simulator = await createSimulator({ liveAfterMs: 0, livestreamId: 'new', ...world })
    t.teardown(() => simulator.close())
    const provider = providerAt(t, simulator)
    t.strictSame((await provider.findRunning(soon())).livestreams, [], 'an account without livestreams')
    const live = Array.from({ length: 12 }, () => simulator.startFromBrowser(simulator.addMeeting().id))
    for (let i = 0; i < 3; i++) simulator.end(simulator.startFromBrowser(simulator.addMeeting().id).id)
    const { livestreams: found } = await provider.findRunning(soon())
    t.strictSame(idsOf(found), idsOf(live))
    t.match(found[0], { status: 'LIVE', meeting_id: String })
  })
}

t.test('both lists are read to their last page, whatever the vendor takes for a page', async t => {
  for (const most of [1, 7, 25, 100, 1_000]) {
    for (const isCounted of [true, false]) {
      const all = [...runs(most === 1 ? 3 : 9, 'INVOKED'), ...runs(most === 1 ? 5 : 130, 'LIVE'), ...runs(5, 'IDLE')]
      const { find } = await listing(t, honest(all, most, isCounted))
      const running = all.filter(({ status }) => status !== 'IDLE')
      t.strictSame(idsOf(await find()), idsOf(running), `${most} a page, ${isCounted ? '' : 'not '}counted`)
    }
  }
})

t.test(
  'the INVOKED ones are asked for first, and two short lists are two calls once the vendor is known to count in all',
  async t => {
    const { find, asked } = await listing(t, honest([...runs(1, 'INVOKED'), ...runs(2, 'LIVE')], 100))
    const short = ['status=INVOKED&page_no=1&per_page=100', 'status=LIVE&page_no=1&per_page=100']
    t.equal((await find()).length, 3)
    t.strictSame(
      asked(),
      [short[0], 'status=INVOKED&page_no=2&per_page=100', short[1]],
      'an empty page has the same count'
    )
    t.equal((await find()).length, 3)
    t.strictSame(asked().slice(3), short)
  }
)

t.test('two empty lists are two calls', async t => {
  const { find, asked } = await listing(t, honest([], 100))
  t.strictSame(await find(), [])
  t.equal(asked().length, 2)
})

t.test(
  'a vendor that gives fewer a page than it is asked for, and counts the page alone, is read to the end',
  async t => {
    const all = runs(60, 'LIVE')
    const { find } = await listing(t, query => {
      const from = (Number(query.get('page_no')) - 1) * 25
      const shown = query.get('status') === 'LIVE' ? all.slice(from, from + 25) : []
      return page(shown, shown.length)
    })
    t.strictSame(idsOf(await find()), idsOf(all))
    t.strictSame(idsOf(await find()), idsOf(all), 'each time')
  }
)

t.test('a full page is followed by another question, also when the count says that it was all', async t => {
  const all = runs(150, 'LIVE')
  const { find } = await listing(t, query => {
    const from = (Number(query.get('page_no')) - 1) * 100
    const shown = query.get('status') === 'LIVE' ? all.slice(from, from + 100) : []
    return page(shown, shown.length)
  })
  t.equal((await find()).length, 150)
})

t.test(
  'a vendor that does not know the filter is filtered here, and one that counts from 1 in vain is read',
  async t => {
    const all = [
      ...runs(2, 'LIVE'),
      ...runs(1, 'INVOKED'),
      ...runs(1, 'IDLE'),
      ...runs(1, 'OFFLINE'),
      ...runs(1, 'ERRORED')
    ]
    const { find } = await listing(t, query => page(query.get('page_no') === '1' ? all : [], all.length))
    t.strictSame(idsOf(await find()), idsOf(all.slice(0, 3)))
    const empty = await listing(t, () => ({
      success: true,
      data: { paging: { total_count: 0, start_offset: 1, end_offset: 0 } }
    }))
    t.strictSame(await empty.find(), [])
  }
)

t.test(
  'an entry that cannot be read says nothing of other meetings, and one that names none nothing at all',
  async t => {
    const all = runs(3, 'LIVE')
    const [broken] = runs(1, 'LIVE')
    for (const wrong of [{ status: null }, { status: 'x'.repeat(33) }, { name: 7 }, { stream_key: {} }, { id: '..' }]) {
      const data = [...all, { ...broken, ...wrong }] as Shown[]
      const { look } = await listing(t, query => {
        const isFirst = query.get('status') === 'LIVE' && query.get('page_no') === '1'
        return { success: true, data: isFirst ? data : [] }
      })
      const { livestreams, unreadIn } = await look()
      t.strictSame(idsOf(livestreams), idsOf(all), JSON.stringify(wrong))
      t.strictSame([...unreadIn], [broken?.meeting_id])
    }
    for (const wrong of [
      { id: 7 },
      { id: '' },
      { id: '..', meeting_id: null },
      { meeting_id: 7 },
      { meeting_id: null, status: null },
      { meeting_id: '', status: null }
    ]) {
      const data = [...all, { ...broken, ...wrong }] as Shown[]
      const { look } = await listing(t, () => page(data, data.length))
      t.equal((await failureOf(look())).type, 'upstream_malformed', JSON.stringify(wrong))
    }
  }
)

t.test('a list that has no end, or shows less than it counts, proves nothing', async t => {
  const worlds: Record<string, (query: URLSearchParams) => unknown> = {
    'ever new ones': () => page(runs(100, 'LIVE'), 1_000_000),
    'ever new ones, not counted': () => ({ success: true, data: runs(3, 'LIVE') }),
    'the same page again': (
      (one): (() => unknown) =>
      () =>
        page(one, 30)
    )(runs(10, 'LIVE')),
    'the same page again, not counted': (
      (some): (() => unknown) =>
      () => ({ success: true, data: some })
    )(runs(10, 'LIVE')),
    'the same page again, counted as all': (
      (some): (() => unknown) =>
      () =>
        page(some, 10)
    )(runs(10, 'LIVE')),
    'an empty page before the last': query => page(query.get('page_no') === '1' ? runs(10, 'LIVE') : [], 30),
    'nothing of many': () => page([], 30),
    'one that is none': () => ({ success: true, data: null })
  }
  for (const [name, answer] of Object.entries(worlds)) {
    const { find, asked } = await listing(t, answer)
    t.equal((await failureOf(find())).type, 'upstream_malformed', name)
    // A list that does not fit together is read three times.
    const most = name.startsWith('ever new') ? 20 : 6
    t.ok(asked().length <= most, `${name}: ${asked().length} calls`)
  }
})

t.test(
  'a list that changes while its pages are read is read again, so that nothing moves between them unseen',
  async t => {
    const all = runs(150, 'LIVE')
    for (const change of ['one ends', 'one begins'] as const) {
      let shown = all
      const { find, asked } = await listing(t, query => {
        if (query.get('status') === 'INVOKED') return page([], 0)
        const from = query.get('page_no') === '1' ? 0 : 100
        const answer = page(shown.slice(from, from + 100), shown.length)
        // After the first page the others move by one place.
        if (shown === all) shown = change === 'one ends' ? all.slice(1) : [...runs(1, 'LIVE'), ...all]
        return answer
      })
      t.strictSame(idsOf(await find()), idsOf(shown), change)
      t.equal(asked().length, 5, 'INVOKED, and twice two pages')
    }
  }
)
