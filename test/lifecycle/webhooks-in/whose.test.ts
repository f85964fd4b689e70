import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import { meetingsIn } from '../../../src/store/tables/meetings.ts'
import { accountOf } from '../../support/account.ts'
import { gateway, type WorldOptions } from '../../support/gateway.ts'
import { meetingNews, statusUpdate, webhookSender } from '../../support/http/webhooks.ts'
import { until } from '../../support/until.ts'

async function world(t: Test, options: WorldOptions = {}) {
  const running = await gateway(t, options)
  const { store, url, simulator } = running
  const livestreams = () => store.engine.read(store.sql.selectFrom('livestreams').selectAll().compile())
  const open = store.sql.selectFrom('webhook_deliveries').select('seq').where('noticed_at', 'is', null)
  /** Waits until everything that was told of was looked after. */
  const settled = () => until(async () => (await store.engine.read(open.compile())).length === 0)
  /** Calls of the vendor but for the key of its webhooks. */
  const calls = () => running.upstream().filter(call => !call.includes('.well-known'))
  return { ...running, ...webhookSender(url, simulator), livestreams, settled, calls }
}

t.test(
  'news of a livestream that nobody knows, begun by a browser in a meeting of ours, find their tenant',
  async t => {
    const { simulator, meeting, send, settled, livestreams } = await world(t)
    const { id } = simulator.startFromBrowser(meeting)
    t.equal((await send(statusUpdate(id))).statusCode, 200)
    await settled()
    t.match(await livestreams(), [{ id, tenant_id: 'acme', meeting_id: meeting, status: 'LIVE' }])
  }
)

t.test('a livestream that is over before anybody looked is known all the same', async t => {
  for (const vendor of ['dyte', 'realtimekit'] as const) {
    const { simulator, meeting, send, settled, livestreams } = await world(t, { simulator: { vendor } })
    const { id } = simulator.startFromBrowser(meeting)
    simulator.end(id)
    const full = vendor === 'dyte' ? {} : { meeting: { id: meeting } }
    t.equal((await send({ ...statusUpdate(id, 'IDLE'), ...full })).statusCode, 200)
    await settled()
    t.match(await livestreams(), [{ id, tenant_id: 'acme', meeting_id: meeting, status: 'IDLE' }], vendor)
  }
})

t.test('a livestream of an earlier holder of the meeting stays with that one', async t => {
  const { meeting, asAcme, store, directory, send, settled, livestreams } = await world(t)
  const { id } = (await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).json().data
  await asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)
  await meetingsIn(store).release(meeting, Date.now())
  await meetingsIn(store).assign('globex', 'default', [meeting], Date.now())
  await directory.pull()
  t.equal((await send({ ...statusUpdate(id, 'IDLE'), meeting: { id: meeting } })).statusCode, 200)
  await settled()
  t.match(await livestreams(), [{ id, tenant_id: 'acme' }])
})

t.test('news of what is nobody’s make nothing known, and cost one question at most', async t => {
  const { simulator, send, settled, livestreams, calls } = await world(t)
  const foreign = simulator.addMeeting().id
  const { id } = simulator.startFromBrowser(foreign)
  t.equal((await send(meetingNews('meeting.started', foreign))).statusCode, 200)
  await settled()
  t.strictSame(calls(), [], 'a meeting that nobody holds is not looked at')
  const full = { ...statusUpdate(id), meeting: { id: foreign } }
  for (const body of [full, statusUpdate(id), statusUpdate(id, 'IDLE')]) {
    t.equal((await send(body)).statusCode, 200)
    await settled()
  }
  t.strictSame(calls(), [`GET /v2/livestreams/${id}?page_no=1&per_page=1`])
  t.equal((await send(statusUpdate(randomUUID()))).statusCode, 200)
  await settled()
  t.strictSame(await livestreams(), [])
})

t.test('an independent livestream is asked for by its id', async t => {
  const { simulator, asAcme, send, settled, livestreams } = await world(t)
  const { id } = (await asAcme('POST', '/v2/livestreams', {})).json().data
  simulator.ingest(id)
  t.equal((await send(statusUpdate(id))).statusCode, 200)
  await settled()
  t.match(await livestreams(), [{ id, meeting_id: null, status: 'LIVE' }])
})

t.test('a livestream of a meeting that was taken away is nobody’s', async t => {
  const { meeting, asAcme, store, send, settled, calls } = await world(t)
  const { id } = (await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).json().data
  await meetingsIn(store).release(meeting, Date.now())
  const before = calls().length
  t.equal((await send(statusUpdate(id))).statusCode, 200)
  await settled()
  t.equal(calls().length, before)
})

t.test('an account has no say about what is at another one', async t => {
  const config: WorldOptions['config'] = {}
  const { meeting, url, simulator, settled, calls, store } = await world(t, {
    config,
    async before(_store, simulator) {
      const account = accountOf(simulator)
      Object.assign(config, { upstreams: [account, { ...account, name: 'other' }] })
    }
  })
  const other = webhookSender(url, simulator, 'other')
  t.equal((await other.send(meetingNews('meeting.started', meeting))).statusCode, 200)
  await settled()
  t.strictSame(calls(), [])
  const rows = await store.engine.read(store.sql.selectFrom('webhook_deliveries').select('upstream').compile())
  t.strictSame(rows, [{ upstream: 'other' }])
})

t.test('in an account that is dedicated to a tenant everything is that tenant’s', async t => {
  const config: WorldOptions['config'] = {}
  const { simulator, send, settled, livestreams } = await world(t, {
    config,
    async before(store, simulator) {
      await store.engine.write([
        store.sql.updateTable('tenants').set({ upstream: 'other' }).where('id', '=', 'globex').compile()
      ])
      await store.engine.write([store.sql.deleteFrom('meetings').compile()])
      Object.assign(config, { upstreams: [accountOf(simulator, { dedicatedTo: 'acme' })] })
    }
  })
  const first = simulator.addMeeting().id
  const run = simulator.startFromBrowser(first)
  t.equal((await send(meetingNews('meeting.started', first))).statusCode, 200)
  await settled()
  t.match(await livestreams(), [{ id: run.id, tenant_id: 'acme', status: 'LIVE' }])
  const independent = simulator.addLivestream()
  simulator.ingest(independent.id)
  t.equal((await send(statusUpdate(independent.id))).statusCode, 200)
  await settled()
  t.ok((await livestreams()).some(({ id, tenant_id }) => id === independent.id && tenant_id === 'acme'))
})
