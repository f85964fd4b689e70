import t from 'tap'
import type { UpstreamAccount } from '../../../src/domain/upstream-account.ts'
import { systemClock } from '../../../src/domain/values/clock.ts'
import { Secret } from '../../../src/domain/values/secret.ts'
import { startGateway } from '../../../src/gateway.ts'
import { makeLogger } from '../../../src/log/logger.ts'
import { createSimulator } from '../../../src/simulator/simulator.ts'
import { meetingsIn } from '../../../src/store/tables/meetings.ts'
import { tenantsIn } from '../../../src/store/tables/tenants.ts'
import { UpstreamSet } from '../../../src/upstream/account/upstream-set.ts'
import { accountOf, realtimekitAccountOf } from '../../support/account.ts'
import { configFor } from '../../support/config.ts'
import { twoAccounts } from '../../support/http/two-accounts.ts'
import { until } from '../../support/until.ts'

// Each has a gateway of its own, and waits for it.
t.jobs = 4

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
  await until(() => logs().includes('the new list is in use'))
  rtk.accept('the-next-token')
  t.equal((await read()).json().error.type, 'no_active_livestream', 'the old one is no longer needed')

  const refusals: [change: Parameters<typeof list>[0], reason: RegExp][] = [
    [{ text: '[{"name":' }, /must be a JSON list/],
    [{ rtk: { api_token: 'made-up' } }, /the vendor refuses the credentials of upstream rtk/],
    [{ rtk: { app_id: 'another' } }, /upstream rtk is not the account that has the meeting/],
    [{ rtk: { name: 'renamed' } }, /upstream rtk is missing, and the tenant acme belongs to it/],
    [{ rtk: { base_url: 'http://127.0.0.1:9' } }, /upstream rtk could not be asked/]
  ]
  for (const [change, reason] of refusals) {
    list(change)
    await until(() => reason.test(logs()))
    t.match(logs(), reason)
    t.equal((await read()).statusCode, 404, 'the old list goes on')
  }
  t.notMatch(logs(), 'the-next-token')

  const moved = rtk.url.replace('127.0.0.1', 'localhost')
  const third = await createSimulator()
  t.teardown(() => third.close())
  const more = [{ name: 'third', provider: 'dyte', base_url: third.url, org_id: third.org, api_key: third.key }]
  list({ rtk: { api_token: 'the-next-token', base_url: moved }, more })
  await until(() => logs().split('the new list is in use').length === 3)
  t.equal((await read()).statusCode, 404)
  t.match(rtk.journal.at(-1)?.headers.host, 'localhost', 'at its new address')
  list({ rtk: { api_token: 'the-next-token', base_url: moved } })
  await until(() => logs().split('the new list is in use').length === 4)
  list({ rtk: { api_token: ['too-early', 'the-next-token'], base_url: moved } })
  await until(() => logs().includes('"event":"upstream_credential_refused"'))

  const changes = (await events()).filter(({ api }) => api.operation.endsWith('Upstreams'))
  const named = (names: string[]) => ({ resources: names.map(uid => ({ type: 'upstream', uid })) })
  t.match(changes, [
    named(['default', 'rtk']),
    named(['default', 'rtk', 'third']),
    named(['default', 'rtk']),
    named(['default', 'rtk'])
  ])
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

t.test(
  'a name that stands for another account is refused at the start, while anything of the old one is there',
  async t => {
    const { world, rtk } = await twoAccounts(t)
    const { store, storeFile, close } = world
    const { name, baseUrl, ...account } = realtimekitAccountOf(rtk, { name: 'rtk' })
    await close()
    const other = { ...account, name, baseUrl, identity: new Secret('another account') }
    const start = (upstreams: UpstreamAccount[]) =>
      startGateway({ config: { ...configFor(world.simulator, storeFile), upstreams }, logger: makeLogger('silent') })

    const first = await start([accountOf(world.simulator), other])
    t.strictSame((await first.close()) ?? null, null, 'nothing was there')
    await meetingsIn(store).assign('acme', 'rtk', ['m-1'], Date.now())
    const refusal = /^upstream rtk is not the account that has the meeting m-1: another account needs another name$/
    await t.rejects(start([accountOf(world.simulator), { ...other, identity: account.identity }]), { message: refusal })
    await (await start([accountOf(world.simulator), other])).close()
  }
)

t.test('trouble that an operator should look at is said by /readyz and in the log', async t => {
  const { world, rtk, list } = await twoAccounts(t)
  const { as, logs, checkUpstreams } = world
  const warnings = async () => (await as(null)('GET', '/readyz')).json().warnings
  t.strictSame(await warnings(), [])
  await checkUpstreams()
  t.equal(logs().split('the vendor takes the credentials of this upstream').length, 3)
  rtk.accept()
  await checkUpstreams()
  t.match(logs(), /"upstream":"rtk","reason":"the vendor refuses the credentials of upstream rtk"/)
  t.strictSame(await warnings(), ['upstream_credentials'])
  rtk.accept(rtk.token)
  await checkUpstreams()
  list({ text: '[' })
  await until(async () => (await warnings()).length > 0)
  t.strictSame(await warnings(), ['upstreams_list'])
  list()
  await until(async () => (await warnings()).length === 0)
  t.match(logs(), 'the list of upstreams is the one in use again')
})

t.test(
  'a first credential that the vendor does not take yet is said to be refused, and used when it is taken',
  async t => {
    const rtk = await createSimulator({ vendor: 'realtimekit' })
    t.teardown(() => rtk.close())
    const switched: number[] = []
    const set = new UpstreamSet({
      dataDir: t.testdir(),
      deadlineMs: 2_000,
      bootId: null,
      clock: systemClock,
      log: { error() {}, warn() {} },
      onCredential: (_name, position) => switched.push(position)
    })
    t.teardown(() => set.close())
    const credentials = (...tokens: string[]) => tokens.map(token => new Secret(`Bearer ${token}`))
    await set.open([realtimekitAccountOf(rtk)])
    const both = realtimekitAccountOf(rtk, { credentials: credentials('the-next', rtk.token) })
    t.equal(await set.replace([both]), true)
    t.strictSame(set.upstreams.get('default')?.credential(), { position: 2, isRefused: false })
    await set.preferFirst()
    t.equal(set.upstreams.get('default')?.credential().position, 2)
    rtk.accept('the-next', rtk.token)
    await set.preferFirst()
    t.strictSame(set.upstreams.get('default')?.credential(), { position: 1, isRefused: false })
    t.equal(switched.at(-1), 1)
    const asked = rtk.journal.length
    await set.preferFirst()
    t.equal(rtk.journal.length, asked, 'and then nobody is asked any more')
  }
)

t.test('a stop goes out with the other credential at once, whatever becomes of the probe', async t => {
  const { world, rtk } = await twoAccounts(t, {}, { rtk: { api_token: ['first', 'second'] } })
  const { asAcme, store, directory } = world
  rtk.accept('first')
  await tenantsIn(store).update('acme', { upstream: 'rtk' }, Date.now())
  await directory.pull()
  const { id } = (await asAcme('POST', '/v2/meetings', {})).json().data
  await asAcme('POST', `/v2/meetings/${id}/livestreams`)
  rtk.accept('second')
  rtk.fail({ match: { method: 'GET', path: '/meetings' }, status: 500 })
  t.equal((await asAcme('GET', `/v2/meetings/${id}`)).json().error.type, 'upstream_credentials_refused')
  t.equal((await asAcme('POST', `/v2/meetings/${id}/active-livestream/stop`)).statusCode, 200)
  t.equal(rtk.livestreams()[0]?.status, 'IDLE')
  t.equal((await asAcme('GET', `/v2/meetings/${id}`)).statusCode, 200, 'and what it has shown counts for all')
})

t.test('one route that refuses both credentials does not make all calls go from one to the other and back', async t => {
  const { world, rtk } = await twoAccounts(t, {}, { rtk: { api_token: ['first', 'second'] } })
  rtk.accept('first', 'second')
  await tenantsIn(world.store).update('acme', { upstream: 'rtk' }, Date.now())
  await world.directory.pull()
  const { id } = (await world.asAcme('POST', '/v2/meetings', {})).json().data
  rtk.fail({ match: { method: 'GET', path: '/meetings/*' }, status: 401, body: {} })
  const before = rtk.journal.length
  for (let i = 0; i < 10; i++) t.equal((await world.asAcme('GET', `/v2/meetings/${id}`)).statusCode, 502)
  t.equal(rtk.journal.length - before, 12, 'one probe, one call again')
  const switches = (await world.events()).filter(({ api }) => api.operation === 'switchUpstreamCredential')
  t.equal(switches.length, 1)
})

t.test("a page that is not the vendor's own says nothing of a livestream: no stop is believed", async t => {
  const { world, rtk } = await twoAccounts(t)
  const { asAcme, store, directory } = world
  await tenantsIn(store).update('acme', { upstream: 'rtk' }, Date.now())
  await directory.pull()
  const { id } = (await asAcme('POST', '/v2/meetings', {})).json().data
  await asAcme('POST', `/v2/meetings/${id}/livestreams`)
  for (const body of ['<html>404</html>', '', '[]', '{"errors":[{"code":"7003"}],"error":null}']) {
    const calm = rtk.fail({ status: 404, body })
    const stopped = await asAcme('POST', `/v2/meetings/${id}/active-livestream/stop`)
    t.equal(stopped.statusCode, 502, body)
    t.match((await asAcme('GET', `/v2/meetings/${id}/active-livestream`)).statusCode, /^50[023]$/, body)
    calm()
  }
  await until(() => rtk.livestreams()[0]?.status === 'IDLE')
  t.pass('the stop is repeated until it is heard')
})

t.test('an upstream that comes into use while a list without it is taken stays', async t => {
  const rtk = await createSimulator({ vendor: 'realtimekit' })
  t.teardown(() => rtk.close())
  const answers = [null, 'the operation o1 there is not settled']
  const errors: string[] = []
  const set = new UpstreamSet({
    dataDir: t.testdir(),
    deadlineMs: 2_000,
    bootId: null,
    clock: systemClock,
    log: { error: (_facts, message) => errors.push(message), warn() {} },
    names: { neededBy: async () => answers.shift() ?? null, conflict: async () => null, remember: async () => {} }
  })
  t.teardown(() => set.close())
  await set.open([realtimekitAccountOf(rtk)])
  const other = await createSimulator()
  t.teardown(() => other.close())
  await set.replace([accountOf(other, { name: 'other' })])
  t.strictSame([...set.upstreams.keys()].sort(), ['default', 'other'])
  t.match(errors, [/is missing in the list, and needed: it stays/])
  await set.replace([accountOf(other, { name: 'other' })])
  t.strictSame([...set.upstreams.keys()], ['other'], 'until nobody needs it')
})
