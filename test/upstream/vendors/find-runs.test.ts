import t, { type Test } from 'tap'
import { createSimulator, type SimulatorOptions } from '../../../src/simulator/simulator.ts'
import { failureOf, providerAt } from '../../support/upstream/vendor.ts'

const soon = (): AbortSignal => AbortSignal.timeout(60_000)

async function account(t: Test, options: SimulatorOptions) {
  const simulator = await createSimulator({ liveAfterMs: 0, livestreamId: 'new', ...options })
  t.teardown(() => simulator.close())
  const provider = providerAt(t, simulator)
  const meeting = simulator.addMeeting().id
  return {
    simulator,
    meeting,
    find: () => provider.findRuns(meeting, soon()),
    /** A run of the meeting that is over. */
    ended(id = meeting): string {
      const run = simulator.startFromBrowser(id)
      simulator.end(run.id)
      return run.id
    }
  }
}

/** Each form (contract#l1-lists, contract#two-published-forms) in which the two answers come, and whether it shows more than the newest. */
const worlds: { options: SimulatorOptions; showsAll: boolean; showsRuns: boolean }[] = [
  { options: { contract: 'L1' }, showsAll: true, showsRuns: false },
  { options: { contract: 'L2', lists: 'example' }, showsAll: true, showsRuns: true },
  { options: { contract: 'L2', lists: 'schema' }, showsAll: false, showsRuns: true }
]

for (const { options, showsAll, showsRuns } of worlds) {
  const over = options.contract === 'L1' ? 'OFFLINE' : 'IDLE'
  t.test(`the runs of a meeting are found, as far as they are shown: ${JSON.stringify(options)}`, async t => {
    const { simulator, meeting, find, ended } = await account(t, options)
    t.strictSame(await find(), [], 'an account without livestreams')
    const first = ended()
    const one = await find()
    t.match(one, [{ livestream: { id: first, status: over, meeting_id: meeting } }])
    t.strictSame(
      one[0]?.sessions.map(({ livestream_id, invoked_time, stopped_time }) => ({
        livestream_id,
        times: [invoked_time, stopped_time].map(time => typeof time)
      })),
      showsRuns ? [{ livestream_id: first, times: ['string', 'string'] }] : []
    )

    const second = simulator.startFromBrowser(meeting).id
    const both = (await find()).map(({ livestream: { id, status } }) => `${id} ${status}`)
    t.strictSame(both, showsAll ? [`${second} LIVE`, `${first} ${over}`] : [`${second} LIVE`], 'the newest first')

    const other = simulator.addMeeting().id
    simulator.startFromBrowser(other)
    const ours = (await find()).map(({ livestream }) => livestream.id)
    t.strictSame(ours, showsAll ? [second, first] : [], "another meeting's is left out")
  })
}

t.test('under contract L2 a livestream that was used again shows each of its runs', async t => {
  const { find, ended } = await account(t, { livestreamId: 'reused' })
  t.equal(ended(), ended())
  t.strictSame(
    (await find()).map(({ sessions }) => sessions.length),
    [2]
  )
})

t.test('it costs four calls at most: the newest of the account, and the three newest of the meeting by id', async t => {
  const { simulator, find, ended } = await account(t, {})
  const ids = [1, 2, 3, 4, 5].map(() => ended()).reverse()
  const runs = await find()
  t.strictSame(
    runs.map(({ livestream }) => livestream.id),
    ids.slice(0, 3)
  )
  t.strictSame(
    simulator.journal.map(({ method, target }) => `${method} ${target}`),
    [
      'GET /v2/livestreams?page_no=1&per_page=50&sort_order=DSC',
      ...ids.slice(0, 3).map(id => `GET /v2/livestreams/${id}?page_no=1&per_page=50`)
    ]
  )
})

t.test('a livestream is found among the fifty newest of the account, and not behind them', async t => {
  const { simulator, find, ended } = await account(t, {})
  const id = ended()
  const others = (count: number): void => {
    for (let i = 0; i < count; i++) ended(simulator.addMeeting().id)
  }
  others(49)
  t.match(await find(), [{ livestream: { id } }])
  others(1)
  t.strictSame(await find(), [])
})

t.test('a livestream that is gone when it is asked for by its id is left out', async t => {
  const { simulator, find, ended } = await account(t, {})
  const [older, newer] = [ended(), ended()]
  simulator.failNext({ match: { path: `/livestreams/${newer}` }, status: 404, body: {} })
  t.match(await find(), [{ livestream: { id: older } }])
})

t.test('an entry that cannot be read says nothing of other meetings, and hides what is so of its own', async t => {
  const { simulator, meeting, find, ended } = await account(t, {})
  const ours = { id: ended(), status: 'IDLE', meeting_id: meeting }
  const broken = (meeting_id: string) => ({ id: 'broken', status: null, meeting_id })
  const listed = (...data: object[]) => ({
    match: { path: '/livestreams' },
    status: 200,
    body: { success: true, data }
  })
  simulator.failNext(listed(broken('another'), ours))
  t.match(await find(), [{ livestream: { id: ours.id } }])
  simulator.failNext(listed(broken(meeting), ours))
  t.equal((await failureOf(find())).type, 'upstream_malformed')
})

t.test('a list that cannot be read is no empty one: nobody may take it for one', async t => {
  const { simulator, find, ended } = await account(t, {})
  ended()
  for (const path of ['/livestreams', '/livestreams/*']) {
    simulator.failNext({ match: { path }, status: 500 })
    t.equal((await failureOf(find())).type, 'upstream_failed', path)
    simulator.failNext({ match: { path }, garbage: true })
    t.equal((await failureOf(find())).type, 'upstream_malformed', path)
    simulator.failNext({ match: { path }, mutate: 'null_data' })
    t.equal((await failureOf(find())).type, 'upstream_malformed', path)
  }
  simulator.failNext({ match: { path: '/livestreams/*' }, mutate: 'other_id' })
  t.equal((await failureOf(find())).type, 'upstream_malformed', 'another livestream than the one that was asked for')
})
