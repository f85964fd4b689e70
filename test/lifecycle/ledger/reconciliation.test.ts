import t from 'tap'
import type { Simulator } from '../../../src/simulator/simulator.ts'
import { meetingsIn } from '../../../src/store/tables/meetings.ts'
import { tenantsIn } from '../../../src/store/tables/tenants.ts'
import { openStream } from '../../support/events.ts'
import { ledgerWorld } from '../../support/ledger/world.ts'
import { until } from '../../support/until.ts'

t.jobs = 4

type Livestream = ReturnType<Simulator['livestreams']>[number]

/** As short as it may be. */
const config = { reconcileMs: 500 }
const empty = { success: true, data: [], paging: { total_count: 0, start_offset: 0, end_offset: 0 } }
const lists = (calls: string[]): number => calls.filter(call => call.includes('/livestreams?status=INVOKED')).length

t.test(
  'a run that nobody here has begun is in the list and told to a stream with the next list, and so is its end',
  async t => {
    const { simulator, meeting, runs, upstream, url, withKey, asAcme } = await ledgerWorld(t, { config })
    const { key } = await withKey('acme', ['livestreams:read'])
    const stream = await openStream(t, url, key)
    const live = async () => (await asAcme('GET', '/v2/livestreams?status=LIVE')).json().data
    /** One list may be under way when something happens: it is in the next one. */
    async function toldInTime(happens: () => unknown, count: number): Promise<void> {
      const before = lists(upstream())
      happens()
      await stream.first(count)
      const passes = lists(upstream()) - before
      t.ok(passes <= 2, `after ${passes} lists`)
    }

    await toldInTime(() => simulator.startFromBrowser(meeting), 1)
    const [{ id, sessions }] = simulator.livestreams() as [Livestream]
    t.match(await live(), [{ id }])
    t.match(await runs(), [{ livestreamId: id, status: 'live', operationId: null, sessionId: sessions.at(-1)?.id }])
    await toldInTime(() => simulator.end(id), 2)
    t.strictSame(await live(), [])
    t.match(await runs(), [{ status: 'ended', endedBy: 'outside' }])
    await toldInTime(() => simulator.startFromBrowser(meeting), 3)
    t.match(await live(), [{ id }])
    const [, again] = await runs()
    t.match(again, { status: 'live', sessionId: simulator.livestreams()[0]?.sessions.at(-1)?.id })
    t.strictSame(
      stream.events.map(({ event, data }) => `${event} of ${data.livestream_id}`),
      ['live', 'ended', 'live'].map(type => `livestream.${type} of ${id}`)
    )
  }
)

t.test(
  'a run of an encoder, in no meeting, is found and ended, and one that waits for its encoder is no run',
  async t => {
    const { simulator, runs, upstream, asAcme } = await ledgerWorld(t, { config })
    const { id } = (await asAcme('POST', '/v2/livestreams', {})).json().data
    const before = lists(upstream())
    await until(() => lists(upstream()) >= before + 2)
    t.strictSame(await runs(), [])
    simulator.ingest(id)
    await until(async () => (await runs())[0]?.status === 'live')
    t.match(await runs(), [{ livestreamId: id, meetingId: null, tenantId: 'acme' }])
    simulator.end(id)
    await until(async () => (await runs())[0]?.status === 'ended')
  }
)

t.test('a run that is found has the limits of its tenant, and its encoder is known', async t => {
  const { simulator, meeting, runs, store, directory } = await ledgerWorld(t, { config })
  await tenantsIn(store).update('acme', { limits: { maxDurationSeconds: 3_600 } }, Date.now())
  await directory.pull()
  simulator.startFromBrowser(meeting, { manualIngest: true })
  await until(async () => (await runs())[0]?.deadlineAtMs != null)
  t.match(await runs(), [{ operationId: null, isManual: true }])
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
  const end = simulator.fail({ match: { method: 'GET', path: '/livestreams' }, status: 200, body: empty })
  await passes(3)
  t.match(await runs(), [{ status: 'live' }], 'it was asked for by its id')
  const endLooks = simulator.fail({ match: { method: 'GET', path: '/livestreams/*' }, status: 500 })
  await passes(3)
  end()
  endLooks()
  t.match(await runs(), [{ status: 'live', quietLooks: 0 }], 'nothing but empty lists')
  simulator.fail({ match: { method: 'GET', path: '/livestreams' }, status: 503 })
  await passes(7)
  t.match(await runs(), [{ status: 'live' }])
  t.equal((await runs()).length, 1)
  t.equal(logs().split('the lists of what runs could not be read').length, 2, 'it is told once')
  t.equal((await asAcme('GET', `/v2/meetings/${meeting}/active-livestream`)).statusCode, 200)
  simulator.clearFaults()
  await until(() => logs().includes('the lists of what runs can be read again'))
})

t.test('a run that the vendor does not have any more ends when two looks have agreed', async t => {
  const { simulator, meeting, runs, upstream } = await ledgerWorld(t, { config: { reconcileMs: 3_000 } })
  const { id } = simulator.startFromBrowser(meeting)
  await until(async () => (await runs())[0]?.status === 'live')
  const body = { success: false, error: { code: 404, message: 'none' } }
  const looks = () => upstream().filter(call => call.startsWith(`GET /v2/livestreams/${id}?`)).length
  const before = looks()
  simulator.fail({ match: { method: 'GET', path: `/livestreams/${id}` }, status: 404, body })
  const listed = simulator.fail({ match: { method: 'GET', path: '/livestreams' }, status: 200, body: empty })
  const passes = lists(upstream())
  await until(async () => (await runs())[0]?.status === 'ended')
  t.equal(looks() - before, 2)
  t.ok(lists(upstream()) - passes <= 1, 'within one pass')
  listed()
})

t.test(
  'a livestream of nobody is told to the operator once, and its run is no longer that of the tenant before',
  async t => {
    const { simulator, meeting, runs, told, logs, upstream, store, directory, asAcme, as } = await ledgerWorld(t, {
      config: { ...config, settleMs: 1_000 }
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
    t.match((await as(null)('GET', '/readyz')).json(), { status: 'ready', warnings: ['unowned_runs'] })
    await meetingsIn(store).assign('acme', 'default', [meeting], Date.now())
    await directory.pull()
    await until(async () => (await runs()).some(({ status }) => status === 'live'))
    simulator.end(id)
    await until(async () => (await as(null)('GET', '/readyz')).json().warnings.length === 0)
  }
)

t.test(
  'a run of which nobody can say whose it is holds no other up, and is asked for again with each list',
  async t => {
    const { simulator, meeting, runs, logs, upstream, as } = await ledgerWorld(t, { config, unmoved: true })
    const { id } = simulator.addLivestream()
    const clear = simulator.fail({ match: { method: 'GET', path: `/livestreams/${id}` }, status: 500 })
    const asked = () => upstream().filter(call => call.startsWith(`GET /v2/livestreams/${id}?`)).length
    const warnings = async () => (await as(null)('GET', '/readyz')).json().warnings ?? []
    simulator.ingest(id)
    await until(() => logs().includes('nobody could say whose a run is'))
    simulator.startFromBrowser(meeting)
    await until(async () => (await runs())[0]?.status === 'live')
    const before = asked()
    await until(() => asked() >= before + 2)
    t.equal((await runs()).length, 1)
    t.notOk((await warnings()).includes('unowned_runs'), 'it may be a tenant’s')
    clear()
    await until(async () => (await warnings()).includes('unowned_runs'))
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
  t.notMatch(world.logs(), 'could not be compared')
})
