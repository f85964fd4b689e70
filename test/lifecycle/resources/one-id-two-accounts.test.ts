import { randomUUID } from 'node:crypto'
import t from 'tap'
import { createSimulator } from '../../../src/simulator/simulator.ts'
import { meetingsIn } from '../../../src/store/tables/meetings.ts'
import type { World } from '../../support/gateway.ts'
import { calls, twoAccounts } from '../../support/http/two-accounts.ts'
import { until } from '../../support/until.ts'

const startOf = (id: string) => `/v2/meetings/${id}/livestreams`
const stopOf = (id: string) => `/v2/meetings/${id}/active-livestream/stop`

/** As `meeting release --force` and `meeting assign --upstream` do. */
async function move({ store, directory }: World, id: string, tenantId: string, upstream: string): Promise<void> {
  await meetingsIn(store).release(id, Date.now())
  await meetingsIn(store).assign(tenantId, upstream, [id], Date.now(), () => [], true)
  await directory.pull()
}

// Each has a gateway of its own, and waits for it.
t.jobs = 4

t.test('a stop joins no stop of the same id at the account of another tenant, and does not wait for it', async t => {
  const theirs = await createSimulator({ vendor: 'realtimekit', liveAfterMs: 0 })
  t.teardown(() => theirs.close())
  const { world, rtk, list } = await twoAccounts(t, {}, { rtk: { dedicated_to: 'acme' } })
  const { url: base_url, account: account_id, app: app_id, token: api_token } = theirs
  const account = { name: 'theirs', provider: 'realtimekit', base_url, account_id, app_id, api_token }
  list({ more: [{ ...account, budget: '1000000/60', dedicated_to: 'globex' }] })
  await until(() => world.logs().includes('theirs'))
  const { id } = theirs.addMeeting({})
  theirs.startFromBrowser(id)
  // Neither account can say whether it has the meeting.
  theirs.fail({ match: { method: 'GET', path: `/meetings/${id}` }, status: 503 })
  rtk.fail({ status: 503 })
  const loop = [1, 2, 3].map(() => world.asAcme('POST', stopOf(id)))
  await until(() => rtk.journal.some(({ target }) => target.endsWith('/stop')))
  const stopped = await world.asGlobex('POST', stopOf(id))
  t.equal(stopped.statusCode, 200, stopped.body)
  t.equal(theirs.livestreams()[0]?.status, 'IDLE')
  await Promise.all(loop)
})

t.test('a start that is open at the account where a meeting was before holds back no stop of it', async t => {
  const { world, rtk } = await twoAccounts(t)
  const { asAcme, asGlobex, meeting, simulator, store } = world
  rtk.addMeeting({ id: meeting })
  simulator.fail({ status: 503 })
  simulator.failNext({ match: { method: 'GET', path: '/meetings/*/active-livestream' }, status: 404, body: {} })
  t.equal((await asAcme('POST', startOf(meeting))).json().error.outcome, 'unknown')
  await move(world, meeting, 'globex', 'rtk')
  rtk.startFromBrowser(meeting)
  const stopped = await asGlobex('POST', stopOf(meeting))
  t.equal(stopped.statusCode, 200, stopped.body)
  t.equal(rtk.livestreams()[0]?.status, 'IDLE')
  const stops = store.sql.selectFrom('operations').select('state').where('kind', '=', 'stop')
  t.strictSame(await store.engine.read(stops.compile()), [{ state: 'done' }], 'and it is not repeated')
  t.equal((await asGlobex('POST', startOf(meeting))).json().error.outcome, 'not_sent', 'a start waits for either')
})

t.test('a start whose meeting is assigned at another account while it looks is not sent to the first', async t => {
  const { world, rtk } = await twoAccounts(t)
  const { asAcme, meeting, simulator } = world
  rtk.addMeeting({ id: meeting })
  const match = { method: 'GET', path: `/meetings/${meeting}/active-livestream` }
  simulator.failNext({ match, afterWork: true, delayMs: 1_000 })
  const starting = asAcme('POST', startOf(meeting))
  await until(() => simulator.journal.length > 0)
  await move(world, meeting, 'acme', 'rtk')
  t.match((await starting).json().error, { type: 'meeting_not_found', outcome: 'not_sent' })
  t.strictSame(simulator.livestreams(), [], 'no stop would find it')
  t.equal((await asAcme('POST', startOf(meeting))).statusCode, 201)
  t.equal(rtk.livestreams()[0]?.status, 'LIVE')
})

t.test('a start joins none at the account where its meeting was before, and its livestream stays hidden', async t => {
  const { world, rtk } = await twoAccounts(t)
  const { asAcme, asGlobex, meeting, simulator } = world
  rtk.addMeeting({ id: meeting })
  simulator.failNext({ match: { method: 'POST', path: startOf(meeting).slice(3) }, afterWork: true, delayMs: 1_000 })
  const starting = asAcme('POST', startOf(meeting))
  await until(() => simulator.livestreams().length > 0)
  await move(world, meeting, 'globex', 'rtk')
  const refused = await asGlobex('POST', startOf(meeting))
  t.match(refused.json().error, { type: 'start_unsettled' })
  t.notMatch(refused.body, simulator.livestreams()[0]?.id)
  t.equal((await starting).statusCode, 404)
  t.equal((await asGlobex('POST', startOf(meeting))).statusCode, 201, 'nobody has ended the row of the other meanwhile')
})

t.test('an answer that was read at one account is not shown for the other', async t => {
  const { world, rtk } = await twoAccounts(t, { config: { readTtlMs: 60_000 } })
  const { asAcme, meeting, simulator } = world
  rtk.addMeeting({ id: meeting })
  const { id } = simulator.startFromBrowser(meeting)
  const active = () => asAcme('GET', `/v2/meetings/${meeting}/active-livestream`)
  t.equal((await active()).json().data.id, id)
  await move(world, meeting, 'acme', 'rtk')
  t.equal((await active()).json().error?.type, 'no_active_livestream')
})

t.test('the stop of an id that another tenant has elsewhere is answered as that of one that nobody has', async t => {
  const { world, rtk } = await twoAccounts(t, {}, { rtk: { dedicated_to: 'acme' } })
  const { asAcme, otherMeeting } = world
  for (const status of [503, 401]) {
    const well = rtk.fail({ status, body: {} })
    const told = async (id: string) => {
      const { statusCode, headers, body } = await asAcme('POST', stopOf(id))
      const { request_id: _id, ...error } = JSON.parse(body).error
      return { statusCode, error, fields: Object.keys(headers).sort() }
    }
    t.strictSame(await told(otherMeeting), await told(randomUUID()))
    well()
  }
})

t.test('stops of an id that another tenant has elsewhere outdate nothing of what that one reads', async t => {
  const { world, rtk } = await twoAccounts(t, { config: { readTtlMs: 60_000 } }, { rtk: { dedicated_to: 'acme' } })
  const { asAcme, asGlobex, otherMeeting } = world
  const read = async () =>
    (await asGlobex('GET', `/v2/meetings/${otherMeeting}/active-livestream`)).headers['cache-status']
  await read()
  rtk.fail({ status: 503 })
  t.equal((await asAcme('POST', stopOf(otherMeeting))).json().error.outcome, 'unknown')
  t.match(await read(), 'hit')
})

t.test('a stop of a meeting that was taken from the tenant is not sent while its vendor fails', async t => {
  const { world, rtk } = await twoAccounts(t, {}, { rtk: { dedicated_to: 'acme' } })
  const { asAcme, store, directory } = world
  const id = randomUUID()
  const meetings = meetingsIn(store)
  await meetings.assign('acme', 'rtk', [id], Date.now(), () => [], true)
  await meetings.release(id, Date.now())
  await directory.pull()
  rtk.fail({ status: 503, body: {} })
  const { statusCode, body } = await asAcme('POST', stopOf(id))
  t.equal(statusCode, 502)
  t.equal(JSON.parse(body).error.outcome, 'not_sent')
  t.notMatch(calls(rtk).join(), 'stop')
})
