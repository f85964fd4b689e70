import t from 'tap'
import { meetingsIn } from '../../../src/store/tables/meetings.ts'
import { ledgerWorld } from '../../support/ledger/world.ts'
import { until } from '../../support/until.ts'

/** As short as it may be. */
const config = { reconcileMs: 500 }
const lists = (calls: string[]): number => calls.filter(call => call.includes('/livestreams?status=INVOKED')).length

t.test('a run that nobody here has begun is found, shown in lists, and ended, without a read or a webhook', async t => {
  const { simulator, meeting, runs, told, asAcme } = await ledgerWorld(t, { config })
  const { id, sessions } = simulator.startFromBrowser(meeting)
  await until(async () => (await runs()).length > 0)
  t.match(await runs(), [{ livestreamId: id, status: 'live', operationId: null, sessionId: sessions.at(-1)?.id }])
  t.match((await asAcme('GET', '/v2/livestreams?status=LIVE')).json().data, [{ id }])
  simulator.end(id)
  await until(async () => (await runs())[0]?.status === 'ended')
  t.match(await runs(), [{ endedBy: 'outside' }])
  t.strictSame((await asAcme('GET', '/v2/livestreams?status=LIVE')).json().data, [])
  const again = simulator.startFromBrowser(meeting)
  await until(async () => (await runs()).length === 2)
  t.match(await runs(), [{ status: 'ended' }, { status: 'live', sessionId: again.sessions.at(-1)?.id }])
  t.strictSame(await told(), ['live', 'ended', 'live'])
})

t.test('a run that ended and began anew between two passes is two runs', async t => {
  const { simulator, meeting, runs, upstream } = await ledgerWorld(t, { config })
  const { id } = simulator.startFromBrowser(meeting)
  await until(async () => (await runs())[0]?.status === 'live')
  const before = lists(upstream())
  await until(() => lists(upstream()) > before)
  // Within one turn: no pass comes between.
  simulator.end(id)
  simulator.startFromBrowser(meeting)
  await until(async () => (await runs()).length === 2)
  t.match(await runs(), [{ status: 'ended' }, { status: 'live' }])
})

t.test('two runs of one meeting are both found, and each ends alone', async t => {
  const simulated = { startWhileLive: 'second', livestreamId: 'new' } as const
  const { simulator, meeting, runs, stop } = await ledgerWorld(t, { config, simulator: simulated })
  const one = simulator.startFromBrowser(meeting)
  const other = simulator.startFromBrowser(meeting)
  await until(async () => (await runs()).length === 2)
  simulator.end(one.id)
  await until(async () => (await runs()).some(({ status }) => status === 'ended'))
  const now = await runs()
  t.match(
    now.find(({ livestreamId }) => livestreamId === one.id),
    { status: 'ended' }
  )
  t.match(
    now.find(({ livestreamId }) => livestreamId === other.id),
    { status: 'live' }
  )
  await stop()
  await until(async () => (await runs()).every(({ status }) => status === 'ended'))
})

t.test('an empty or a failing list is no proof that a run is over, and opens no breaker', async t => {
  const { simulator, meeting, runs, logs, upstream, asAcme } = await ledgerWorld(t, { config })
  simulator.startFromBrowser(meeting)
  await until(async () => (await runs())[0]?.status === 'live')
  const passes = async (count: number): Promise<void> => {
    const before = lists(upstream())
    await until(() => lists(upstream()) >= before + count)
  }
  const empty = { success: true, data: [], paging: { total_count: 0, start_offset: 0, end_offset: 0 } }
  const end = simulator.fail({ match: { method: 'GET', path: '/livestreams' }, status: 200, body: empty })
  await passes(3)
  end()
  t.match(await runs(), [{ status: 'live' }], 'it was asked for by its id')
  simulator.fail({ match: { method: 'GET', path: '/livestreams' }, status: 503 })
  await passes(7)
  t.match(await runs(), [{ status: 'live' }])
  t.equal((await runs()).length, 1)
  t.equal(logs().split('the lists of what runs could not be read').length, 2, 'it is told once')
  t.equal((await asAcme('GET', `/v2/meetings/${meeting}/active-livestream`)).statusCode, 200)
  simulator.clearFaults()
  await until(() => logs().includes('the lists of what runs can be read again'))
})

t.test(
  'a livestream of nobody is told to the operator once, and its run is no longer that of the tenant before',
  async t => {
    const { simulator, meeting, runs, told, logs, upstream, store, directory, asAcme } = await ledgerWorld(t, {
      config
    })
    const nobodys = simulator.addMeeting({ title: 'of nobody' })
    const { id } = simulator.startFromBrowser(nobodys.id)
    simulator.startFromBrowser(meeting)
    await until(async () => (await runs()).length === 1)
    await meetingsIn(store).release(meeting, Date.now())
    await directory.pull()
    await until(async () => (await told()).includes('ended'))
    const before = lists(upstream())
    await until(() => lists(upstream()) >= before + 2)
    const lines = logs()
      .split('\n')
      .filter(line => line.includes('a livestream goes on that is no tenant'))
    t.equal(lines.length, 2, 'once each')
    t.match(
      lines.find(line => line.includes(id)),
      nobodys.id
    )
    t.strictSame((await asAcme('GET', '/gateway/runs')).json().data, [])
    await meetingsIn(store).assign('acme', 'default', [meeting], Date.now())
    await directory.pull()
    await until(async () => (await runs()).some(({ status }) => status === 'live'))
  }
)

t.test('a run is found in every page of the lists', async t => {
  const { simulator, store } = await ledgerWorld(t, { config })
  const meetings = Array.from({ length: 120 }, () => simulator.addMeeting().id)
  await meetingsIn(store).assign('acme', 'default', meetings, Date.now())
  for (const id of meetings) simulator.startFromBrowser(id)
  const rows = store.sql.selectFrom('broadcast_runs').select('id').where('status', '=', 'live').compile()
  await until(async () => (await store.engine.read(rows)).length === meetings.length)
})

t.test('nothing is asked but the lists while nothing runs, and nothing any more when the gateway ends', async t => {
  const world = await ledgerWorld(t, { config })
  const { upstream } = world
  await until(() => lists(upstream()) >= 3)
  t.ok(
    upstream().every(call => /^GET \S*\/livestreams\?status=(INVOKED|LIVE)&/.test(call)),
    upstream().join()
  )
  await world.close()
  const after = upstream().length
  await new Promise(resolve => setTimeout(resolve, 1_200))
  t.equal(upstream().length, after)
})
