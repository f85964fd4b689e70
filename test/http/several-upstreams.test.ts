import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { readConfig } from '../../src/config.ts'
import { createSimulator, type Simulator } from '../../src/simulator/simulator.ts'
import { meetingsIn } from '../../src/store/meetings.ts'
import { tenantsIn } from '../../src/store/tenants.ts'
import { gateway, type World, type WorldOptions } from '../support/gateway.ts'
import { until } from '../support/until.ts'

interface Accounts {
  world: World
  rtk: Simulator
  /** Writes the list, with this in place of what stands there. */
  list(change?: { rtk?: object; dyte?: object; more?: object[]; text?: string }): void
}

/** A gateway with a list of two accounts: Dyte's, which is `default`, and one of RealtimeKit. */
async function twoAccounts(t: Test, options: WorldOptions = {}, of: { rtk?: object } = {}): Promise<Accounts> {
  const rtk = await createSimulator({ vendor: 'realtimekit', liveAfterMs: 0 })
  t.teardown(() => rtk.close())
  const file = join(t.testdir(), 'upstreams.json')
  const config: Record<string, unknown> = { ...options.config }
  let list: Accounts['list'] = () => {}
  const world = await gateway(t, {
    ...options,
    config,
    async before(store, simulator) {
      await options.before?.(store, simulator)
      const { url: base_url, org: org_id, key: api_key } = simulator
      const dyte = { name: 'default', provider: 'dyte', base_url, org_id, api_key, budget: '1000000/60' }
      const { account: account_id, app: app_id, token: api_token } = rtk
      const other = { name: 'rtk', provider: 'realtimekit', base_url: rtk.url, account_id, app_id, api_token }
      list = ({ rtk: change, dyte: changed, more = [], text } = {}) => {
        const all = [{ ...dyte, ...changed }, { ...other, budget: '1000000/60', ...of.rtk, ...change }, ...more]
        writeFileSync(file, text ?? JSON.stringify(all))
      }
      list()
      const { upstreams, rereadUpstreams } = readConfig({ LIVEGATE_UPSTREAMS_FILE: file })
      Object.assign(config, { upstreams, rereadUpstreams })
    }
  })
  return { world, rtk, list }
}

const calls = ({ journal }: Simulator) => journal.map(({ method, target }) => `${method} ${target}`)

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

t.test('what the new vendor does not have is 501, says so and is sent no second time', async t => {
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

t.test('a list that changes is used, once its vendors have taken what is new in it', async t => {
  const { world, rtk, list } = await twoAccounts(t)
  const { asAcme, store, directory, events, logs } = world
  await tenantsIn(store).update('acme', { upstream: 'rtk' }, Date.now())
  await directory.pull()
  const { id } = (await asAcme('POST', '/v2/meetings', {})).json().data
  const read = () => asAcme('GET', `/v2/meetings/${id}/active-livestream`)
  t.equal((await read()).statusCode, 404)

  rtk.accept(rtk.token, 'the-next-token')
  list({ rtk: { api_token: ['the-next-token', rtk.token] } })
  await until(() => logs().includes('the new list is in use'), 10_000)
  rtk.accept('the-next-token')
  t.equal((await read()).json().error.type, 'no_active_livestream', 'the old one is no longer needed')

  const refusals: [change: Parameters<typeof list>[0], reason: RegExp][] = [
    [{ text: '[{"name":' }, /must be a JSON list/],
    [{ rtk: { api_token: 'made-up' } }, /the vendor refuses the credentials of upstream rtk/],
    [{ rtk: { app_id: 'another' } }, /upstream rtk is another account now/],
    [{ rtk: { name: 'renamed' } }, /upstream rtk is missing, and the tenant acme belongs to it/],
    [{ rtk: { base_url: 'http://127.0.0.1:9' } }, /upstream rtk could not be asked/]
  ]
  for (const [change, reason] of refusals) {
    list(change)
    await until(() => reason.test(logs()), 10_000)
    t.match(logs(), reason)
    t.equal((await read()).statusCode, 404, 'the old list goes on')
  }
  t.notMatch(logs(), 'the-next-token')

  const moved = rtk.url.replace('127.0.0.1', 'localhost')
  const third = await createSimulator()
  t.teardown(() => third.close())
  const more = [{ name: 'third', provider: 'dyte', base_url: third.url, org_id: third.org, api_key: third.key }]
  list({ rtk: { api_token: 'the-next-token', base_url: moved }, more })
  await until(() => logs().split('the new list is in use').length === 3, 10_000)
  t.equal((await read()).statusCode, 404)
  t.match(rtk.journal.at(-1)?.headers.host, 'localhost', 'at its new address')
  list({ rtk: { api_token: 'the-next-token', base_url: moved } })
  await until(() => logs().split('the new list is in use').length === 4, 10_000)

  const changes = (await events()).filter(({ api }) => api.operation.endsWith('Upstreams'))
  const named = (names: string[]) => ({ resources: names.map(uid => ({ type: 'upstream', uid })) })
  t.match(changes, [named(['default', 'rtk']), named(['default', 'rtk', 'third']), named(['default', 'rtk'])])
})

t.test('a credential that is refused gives way to the other one, and nothing is sent twice', async t => {
  const { world, rtk } = await twoAccounts(t, {}, { rtk: { api_token: ['first', 'second'] } })
  const { asAcme, store, directory, events } = world
  rtk.accept('first')
  await tenantsIn(store).update('acme', { upstream: 'rtk' }, Date.now())
  await directory.pull()
  const { id } = (await asAcme('POST', '/v2/meetings', {})).json().data
  const path = `/v2/meetings/${id}`
  const start = () => asAcme('POST', `${path}/livestreams`, undefined, { 'idempotency-key': 'friday-1' })

  rtk.accept('second')
  t.equal((await asAcme('GET', path)).statusCode, 200, 'a read goes out again at once')
  rtk.accept('first')
  // The look before a start is a read: the start itself goes out with what it has brought.
  t.equal((await start()).statusCode, 201)
  rtk.accept('second')
  t.equal((await asAcme('POST', `${path}/active-livestream/stop`)).statusCode, 200, 'so does a stop')
  rtk.accept('first')
  const patched = await asAcme('PATCH', path, { title: 'x' })
  t.equal(patched.statusCode, 502)
  t.match(patched.json().error, { type: 'upstream_credentials_refused', outcome: 'not_sent' })
  t.equal((await asAcme('PATCH', path, { title: 'x' })).statusCode, 200, 'the next one uses the other')
  t.equal(rtk.livestreams()[0]?.starts, 1)

  rtk.accept()
  t.equal((await asAcme('GET', `${path}/active-session`)).json().error.type, 'upstream_credentials_refused')
  const switches = (await events()).filter(({ api }) => api.operation === 'switchUpstreamCredential')
  t.strictSame(
    switches.map(({ resources }) => resources.at(-1)?.uid),
    ['rtk#2', 'rtk#1', 'rtk#2', 'rtk#1']
  )
  t.match(switches[0], { actor: { user: { type: 'Gateway', uid: 'upstreams' } } })
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

t.test('a meeting whose upstream is not configured is said to be so, and a stop of it not to be sent', async t => {
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
  t.match(stop.json().error, { code: 503, type: 'upstream_unavailable', outcome: 'not_sent' })
})
