import t from 'tap'
import { systemClock } from '../../src/domain/clock.ts'
import { Secret } from '../../src/domain/secret.ts'
import type { UpstreamAccount } from '../../src/domain/upstream-account.ts'
import { startGateway } from '../../src/gateway.ts'
import { makeLogger } from '../../src/logger.ts'
import { createSimulator } from '../../src/simulator/simulator.ts'
import { meetingsIn } from '../../src/store/meetings.ts'
import { tenantsIn } from '../../src/store/tenants.ts'
import { UpstreamSet } from '../../src/upstream/upstream-set.ts'
import { accountOf, realtimekitAccountOf } from '../support/account.ts'
import { configFor } from '../support/config.ts'
import { until } from '../support/until.ts'
import { twoAccounts } from './two-accounts.ts'

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
    [{ rtk: { app_id: 'another' } }, /upstream rtk is not the account that has the meeting/],
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

t.test('what an operator should look at is said by /readyz and in the log', async t => {
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
  await until(async () => (await warnings()).length > 0, 10_000)
  t.strictSame(await warnings(), ['upstreams_list'])
  list()
  await until(async () => (await warnings()).length === 0, 10_000)
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
      clock: systemClock,
      log: { error() {} },
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
