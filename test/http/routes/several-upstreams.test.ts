import { randomUUID } from 'node:crypto'
import t from 'tap'
import { meetingsIn } from '../../../src/store/tables/meetings.ts'
import { tenantsIn } from '../../../src/store/tables/tenants.ts'
import { lockStore } from '../../support/faulty-store.ts'
import { gateway } from '../../support/gateway.ts'
import { calls, twoAccounts } from '../../support/http/two-accounts.ts'
import { until } from '../../support/until.ts'

// Each has a gateway of its own, and waits for it.
t.jobs = 4

t.test('a tenant that moves starts anew at the other vendor, and what it has stays where it is', async t => {
  const { world, rtk } = await twoAccounts(t)
  const { asAcme, meeting, simulator, store, directory } = world
  t.equal((await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).statusCode, 201)

  await tenantsIn(store).update('acme', { upstream: 'rtk' }, Date.now())
  await directory.pull()
  const made = (await asAcme('POST', '/v2/meetings', { title: 'After the move' })).json().data
  t.ok(rtk.journal.at(-1)?.target.endsWith('/meetings'), 'a new meeting is made at the new vendor')
  const moved = `/v2/meetings/${made.id}`
  t.equal((await asAcme('POST', `${moved}/livestreams`)).statusCode, 201)
  t.match((await asAcme('GET', `${moved}/active-livestream`)).json().data, { status: 'LIVE', meeting_id: made.id })
  t.match((await asAcme('GET', `${moved}/livestream`)).json().data.livestream, { meeting_id: made.id })

  const before = calls(rtk).length
  t.match((await asAcme('GET', `/v2/meetings/${meeting}/active-livestream`)).json().data, { status: 'LIVE' })
  const stopped = await asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)
  t.equal(stopped.statusCode, 200, 'the running livestream is stopped at the old vendor')
  t.equal(calls(simulator).at(-1), `POST /v2/meetings/${meeting}/active-livestream/stop`)
  t.equal(calls(rtk).length, before)
  t.equal((await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).statusCode, 201, 'and started there again')
  const { data } = (await asAcme('GET', '/v2/meetings')).json()
  t.strictSame(data.map(({ id }: { id: string }) => id).sort(), [meeting, made.id].sort())
  t.equal((await asAcme('POST', `${moved}/active-livestream/stop`)).statusCode, 200)
  t.equal(rtk.livestreams().filter(one => one.status === 'LIVE').length, 0)
})

t.test('an operation that the new vendor does not have is 501 and says so, and a stop is done', async t => {
  const { world } = await twoAccounts(t)
  const { asAcme, store, directory } = world
  await tenantsIn(store).update('acme', { upstream: 'rtk' }, Date.now())
  await directory.pull()
  const refused = await asAcme('POST', '/v2/livestreams', { name: 'studio' })
  t.equal(refused.statusCode, 501)
  t.match(refused.json().error, { type: 'not_offered_by_upstream', outcome: 'failed' })
  const { id } = (await asAcme('POST', '/v2/meetings', {})).json().data
  const livestream = (await asAcme('POST', `/v2/meetings/${id}/livestreams`)).json().data
  for (const [method, path] of [
    ['PUT', `/v2/livestreams/${livestream.id}/disable`],
    ['POST', `/v2/livestreams/${livestream.id}/reset-stream-key`],
    ['POST', `/v2/meetings/${id}/active-session/mute-all`]
  ] as const) {
    const answer = await asAcme(method, path, method === 'POST' && path.endsWith('mute-all') ? {} : undefined)
    t.equal(answer.statusCode, 501, path)
    t.equal(answer.json().error.type, 'not_offered_by_upstream', path)
  }
  t.equal((await asAcme('POST', `/v2/meetings/${id}/active-livestream/stop`)).statusCode, 200)
})

t.test("all that is in a dedicated upstream is its tenant's alone, without being assigned", async t => {
  const { world, rtk } = await twoAccounts(t, {}, { rtk: { dedicated_to: 'acme' } })
  const { asAcme, asGlobex, store, events, meeting, otherMeeting } = world
  const theirs = Array.from({ length: 30 }, () => rtk.addMeeting({}).id)
  const [first = '', second = '', third = ''] = theirs
  const live = rtk.startFromBrowser(second)

  for (const path of [first, `${first}/active-livestream`]) {
    t.match((await asGlobex('GET', `/v2/meetings/${path}`)).json().error.type, 'meeting_not_found')
  }
  t.equal(rtk.journal.length, 0, 'nobody else has it looked for')
  t.match((await asAcme('GET', `/v2/meetings/${first}`)).json().data, { id: first })
  t.match((await asAcme('GET', `/v2/livestreams/${live.id}`)).json().data.livestream, {
    id: live.id,
    meeting_id: second
  })
  await meetingsIn(store).assign('globex', 'default', [third], Date.now())
  t.equal((await asAcme('GET', `/v2/meetings/${third}`)).statusCode, 404, 'what another tenant holds stays there')
  for (const id of [otherMeeting, 'nowhere', 'a1']) t.equal((await asAcme('GET', `/v2/meetings/${id}`)).statusCode, 404)
  for (const id of ['nowhere', theirs[5]]) t.equal((await asAcme('GET', `/v2/livestreams/${id}`)).statusCode, 404)

  const calm = rtk.fail({ match: { method: 'GET' }, status: 503 })
  const away = await asAcme('GET', `/v2/meetings/${theirs[4]}`)
  t.equal(away.json().error.type, 'upstream_failed', 'a vendor in trouble does not make it missing')
  calm()

  const fourth = theirs[3] ?? ''
  rtk.startFromBrowser(fourth)
  t.equal((await asAcme('POST', `/v2/meetings/${fourth}/active-livestream/stop`)).statusCode, 200)
  t.equal(rtk.livestreams().at(-1)?.status, 'IDLE', 'a stop finds it too')

  const { data, paging } = (await asAcme('GET', '/v2/meetings?per_page=50')).json()
  t.equal(paging.total_count, 1 + 29, 'the list has all of them, and its own of before')
  t.ok(data.some(({ id }: { id: string }) => id === meeting))
  const asked = rtk.journal.length
  await asAcme('GET', '/v2/meetings?per_page=1')
  t.ok(
    calls(rtk)
      .slice(asked)
      .every(call => !call.includes('page_no')),
    'once a minute'
  )
  const adopted = (await events()).filter(({ api }) => api.operation === 'assignMeeting')
  t.match(adopted[0], { actor: { user: { type: 'Gateway', uid: 'adopting' } }, unmapped: { tenant_id: 'acme' } })
})

t.test('a meeting whose upstream is not configured is said to be so, and a stop of it is kept until it is', async t => {
  const world = await gateway(t, {
    before: store =>
      meetingsIn(store)
        .assign('acme', 'gone', ['m-1'], Date.now())
        .then(() => {})
  })
  const read = await world.asAcme('GET', '/v2/meetings/m-1/active-livestream')
  t.match([read.statusCode, read.json().error.type], [503, 'upstream_unavailable'])
  t.match(read.json().error.message, /is not configured/)
  const stop = await world.asAcme('POST', '/v2/meetings/m-1/active-livestream/stop')
  t.match(stop.json().error, { code: 503, type: 'upstream_unavailable', outcome: 'unknown' })
})

t.test('a stop in a dedicated upstream waits for no quota, no other vendor and no disk', async t => {
  const { world, rtk } = await twoAccounts(t, {}, { rtk: { dedicated_to: 'acme' } })
  const { asAcme, storeFile } = world
  const [first = '', second = ''] = [1, 2].map(() => rtk.addMeeting({}).id)
  rtk.startFromBrowser(first)
  const unlock = lockStore(storeFile)
  const stopped = await asAcme('POST', `/v2/meetings/${first}/active-livestream/stop`)
  unlock()
  t.equal(rtk.livestreams()[0]?.status, 'IDLE', `${stopped.statusCode}`)

  const before = rtk.journal.length
  for (let i = 0; i < 12; i++) await asAcme('POST', `/v2/meetings/${randomUUID()}/active-livestream/stop`)
  const again = randomUUID()
  for (let i = 0; i < 5; i++) await asAcme('POST', `/v2/meetings/${again}/active-livestream/stop`)
  t.equal(rtk.journal.length - before, 13, 'what is missing is not looked for again and again')
  t.equal((await asAcme('GET', `/v2/meetings/${second.toUpperCase()}`)).json().data.id, second)
})

t.test('a stop in a dedicated upstream that cannot show the meeting goes on, and is repeated', async t => {
  const { world, rtk } = await twoAccounts(t, {}, { rtk: { dedicated_to: 'acme' } })
  const { asAcme, store, otherMeeting } = world
  const stop = (id: string) => asAcme('POST', `/v2/meetings/${id}/active-livestream/stop`)
  const [seen, unseen] = [rtk.addMeeting({}).id, rtk.addMeeting({}).id]
  for (const id of [seen, unseen]) rtk.startFromBrowser(id)
  const isOn = (id: string) => rtk.livestreams().some(one => one.meeting_id === id && one.status === 'LIVE')
  const shows = rtk.fail({ match: { method: 'GET', path: '/meetings/*' }, status: 503 })
  t.equal((await stop(seen)).statusCode, 200)
  t.notOk(isOn(seen))
  const answers = rtk.fail({ status: 503 })
  t.match((await stop(unseen)).json().error, { code: 502, outcome: 'unknown' })
  const theirs = (await stop(otherMeeting)).json().error
  t.match(theirs, { code: 502, outcome: 'unknown' }, "another tenant's id cannot be told from one that nobody has")
  shows()
  answers()
  await until(() => !isOn(unseen))
  const open = store.sql.selectFrom('operations').select('id').where('state', '=', 'unknown')
  await until(async () => (await store.engine.read(open.compile())).length === 0)
  t.notOk(
    world.upstream().some(call => call.includes(otherMeeting)),
    'and where that tenant has it nothing is asked'
  )
})

t.test(
  'the stop of a meeting that is assigned at another vendor by now goes on at the first, whatever the other says',
  async t => {
    const { world, rtk } = await twoAccounts(t)
    const { asAcme, meeting, simulator, store, directory } = world
    rtk.addMeeting({ id: meeting })
    const stop = () => asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)
    t.equal((await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).statusCode, 201)
    const answers = simulator.fail({ status: 503, body: { success: false } })
    t.match((await stop()).json().error, { outcome: 'unknown' })
    await meetingsIn(store).release(meeting, Date.now())
    await meetingsIn(store).assign('acme', 'rtk', [meeting], Date.now(), () => [], true)
    await directory.pull()
    t.equal((await stop()).json().error?.type, 'no_active_livestream', 'the other one has nothing to stop')
    const stops = store.sql.selectFrom('operations').select(['state', 'upstream']).where('kind', '=', 'stop')
    const open = stops.where('state', '=', 'unknown')
    t.match(await store.engine.read(open.compile()), [{ upstream: 'default' }])
    answers()
    await until(() => simulator.livestreams()[0]?.status === 'IDLE')
    await until(async () => (await store.engine.read(open.compile())).length === 0)
  }
)

t.test('an id that is no UUID is looked for in a dedicated upstream as it came', async t => {
  const { world, rtk } = await twoAccounts(t, {}, { rtk: { dedicated_to: 'acme' } })
  const asked: string[] = []
  for (const id of ['Stage_One', 'stage_one']) {
    t.equal((await world.asAcme('GET', `/v2/meetings/${id}`)).statusCode, 404)
    asked.push(rtk.journal.at(-1)?.target.split('/').at(-1) ?? '')
  }
  t.strictSame(asked, ['Stage_One', 'stage_one'])
})

t.test('an id that the vendor of a dedicated upstream refuses is one that it does not have', async t => {
  const { world, rtk } = await twoAccounts(t, {}, { rtk: { dedicated_to: 'acme' } })
  const id = randomUUID()
  const body = { success: false, error: { code: 410, message: 'gone' } }
  rtk.failNext({ match: { path: `/meetings/${id}` }, status: 410, body })
  t.equal((await world.asAcme('GET', `/v2/meetings/${id}`)).statusCode, 404)
})

t.test('a livestream whose answer does not say whose it is becomes nobody’s', async t => {
  const { world, rtk } = await twoAccounts(t, {}, { rtk: { dedicated_to: 'acme' } })
  const { id } = rtk.addMeeting({})
  const live = rtk.startFromBrowser(id)
  const bare = { id: live.id, status: 'LIVE', stream_key: 'k' }
  const calm = rtk.fail({
    match: { path: `/livestreams/${live.id}` },
    status: 200,
    body: { success: true, data: { livestream: bare, sessions: [] } }
  })
  t.equal((await world.asAcme('GET', `/v2/livestreams/${live.id}`)).statusCode, 404)
  calm()
})

t.test('an upstream that others use cannot be dedicated to one', async t => {
  const { world, rtk, list } = await twoAccounts(t)
  await tenantsIn(world.store).update('globex', { upstream: 'rtk' }, Date.now())
  list({ rtk: { dedicated_to: 'acme' } })
  await until(
    () => world.logs().includes('is dedicated to the tenant acme, but the tenant globex belongs to it'),
    10_000
  )
  await tenantsIn(world.store).update('globex', { upstream: 'default' }, Date.now())
  await meetingsIn(world.store).assign('globex', 'rtk', ['m-9'], Date.now(), () => [], true)
  list({ rtk: { dedicated_to: 'acme', budget: '900/60' } })
  await until(() => world.logs().includes('but the tenant globex has m-9 there'))
  t.equal(rtk.journal.length, 0)
})
