import t from 'tap'
import { fromSecondMount } from '../../../src/http/request/second-mount.ts'
import { type Client, gateway, withoutRequestId } from '../../support/gateway.ts'
import { isEnvelope } from '../../support/http/helper.ts'
import { essence, mount, mounted } from '../../support/http/mounts.ts'

/** More than is asked here, and so slow to refill that what is spent shows. */
const limit = { calls: 1_000, seconds: 10_000, burst: 1_000 }
const limits = { readLimit: limit, writeLimit: limit, addressLimit: limit }
const { app, as, asAcme, meeting, events } = await gateway(t, {
  config: { ...limits, corsOrigins: ['https://app.example.com'] }
})

t.test('a call is on record alike, counts against the same limit, and keeps its request id', async t => {
  for (const [path, id] of [
    [`/v2/meetings/${meeting}`, 'first'],
    [`${mount}/meetings/${meeting}`, 'second']
  ] as const) {
    t.equal((await asAcme('GET', path, undefined, { 'x-request-id': id })).headers['x-request-id'], id)
  }
  const [first, second] = ['first', 'second'].map(id =>
    events().then(all => all.find(one => one.api.request.uid === id))
  )
  const told = async (event: typeof first) => {
    const { time: _time, duration: _duration, metadata: _metadata, api, ...rest } = (await event) ?? {}
    return { operation: api?.operation, response: api?.response, ...rest }
  }
  t.match(await told(second), { operation: 'getMeeting', resources: [{ type: 'meeting', uid: meeting }] })
  t.strictSame(await told(second), await told(first))
  const left = async (path: string) =>
    Number(/r=(\d+)/.exec(String((await asAcme('GET', path)).headers.ratelimit))?.[1])
  const before = await left('/v2/livestreams')
  for (let i = 0; i < 5; i++) await left(`${mount}/livestreams`)
  t.ok((await left('/v2/livestreams')) < before - 3, 'one limit')
})

t.test('the same idempotency key in both places is the same request', async t => {
  const headers = { 'idempotency-key': '"one"' }
  const path = `/meetings/${meeting}`
  const first = await asAcme('PATCH', `/v2${path}`, { title: 'Saturday' }, headers)
  const second = await asAcme('PATCH', `${mount}${path}`, { title: 'Saturday' }, headers)
  t.strictSame([first.statusCode, first.headers['idempotency-replayed']], [200, undefined])
  t.strictSame([second.statusCode, second.headers['idempotency-replayed']], [200, 'true'])
  t.equal((await asAcme('PATCH', `${mount}${path}`, { title: 'Sunday' }, headers)).statusCode, 422)
  t.equal((await asAcme('POST', `${mount}/meetings`, { title: 'Saturday' }, headers)).statusCode, 422)
})

t.test('a caller without a key, a route or an address to speak of hears the same', async t => {
  const preflight = { origin: 'https://app.example.com', 'access-control-request-method': 'POST' }
  const calls: [status: number, client: Client, method: string, path: string, headers?: Record<string, string>][] = [
    [401, as(null), 'GET', '/v2/livestreams'],
    [401, as('Bearer wrong'), 'POST', '/v2/meetings'],
    [401, as(null), 'GET', '/v2/nothing'],
    [401, as(null), 'GET', '/v2'],
    [404, asAcme, 'GET', '/v2'],
    [404, asAcme, 'GET', '/v2/'],
    [404, asAcme, 'GET', '/v2?page_no=1'],
    [404, asAcme, 'DELETE', '/v2/meetings'],
    [404, asAcme, 'GET', '/v2//meetings'],
    [400, asAcme, 'GET', '/v2/meetings/../livestreams'],
    [404, asAcme, 'GET', '/v2/v2/meetings'],
    [404, asAcme, 'GET', `/v2${mount}/meetings`],
    [400, asAcme, 'GET', '/v2/meetings/%2e%2e'],
    [400, asAcme, 'GET', '/v2/meetings/%zz'],
    [400, asAcme, 'GET', '/v2/%zz'],
    [400, asAcme, 'GET', '/v2/meetings?per_page=0'],
    [200, asAcme, 'GET', '/v2/meetings?per_page=1&search=%46riday'],
    [200, asAcme, 'HEAD', '/v2/meetings'],
    [200, asAcme, 'GET', 'http://gateway.example/v2/meetings?per_page=1'],
    [204, as(null), 'OPTIONS', '/v2/meetings', preflight],
    [415, asAcme, 'POST', '/v2/meetings', { 'content-type': 'text/plain', 'content-length': '1' }]
  ]
  for (const [status, call, method, path, headers = {}] of calls) {
    const body = headers['content-length'] && 'x'
    const reply = await call(method, path, body, headers)
    t.equal(reply.statusCode, status, `${method} ${path}`)
    const same = await call(method, mounted(path), body, headers)
    t.strictSame(essence(same, {}), essence(reply, {}), `${method} ${mounted(path)}`)
  }
})

t.test('any well-formed account and app do; what only looks like this place is no place', async t => {
  const at = (account: string, kit: string, app: string) =>
    `/client/v4/accounts/${account}/realtime/${kit}/${app}/livestreams`
  for (const [account, app] of [
    ['0', 'Z'],
    ['a'.repeat(64), 'B_-'.repeat(21)],
    [meeting, 'globex']
  ] as const)
    t.equal((await asAcme('GET', at(account, 'kit', app))).statusCode, 200, `${account} ${app}`)
  const none = await as(null)('GET', '/nothing')
  t.ok(isEnvelope(none, 404, 'not_found'))
  const ids = ['', '.', '..', '%2e', 'a%2Fb', '%61', '%c3%a9', 'a.b', '-a', '_a', 'a+b', 'a;b', 'a'.repeat(65)]
  const strange = [
    ...ids.flatMap(id => [at(id, 'kit', 'app'), at('account', 'kit', id)]),
    ...[at('a/b', 'kit', 'app'), at('a', 'Kit', 'b'), at('a', 'kits', 'b'), `${mount}x.y/livestreams`],
    ...['/', '/x', '/v2/..'].map(before => before + at('a', 'kit', 'b')),
    ...[mount.replace('v4', 'v%34'), mount.replace('/client', '/gateway'), '/client/v4/accounts/a/realtime/kit']
  ]
  for (const path of strange) {
    t.equal(fromSecondMount({ url: path }), path, 'it stays as it is, byte for byte')
    for (const call of [as(null), asAcme]) {
      const reply = await call('GET', path)
      const isOurs = path.startsWith('/v2/') || path.startsWith('/gateway/')
      if (isOurs && call !== asAcme) t.equal(reply.statusCode, 401, path)
      else t.equal(withoutRequestId(reply), withoutRequestId(none), path)
    }
  }
})

t.test('the document has one copy of each operation, and tells of the other place', async t => {
  const { info, paths } = app.swagger() as { info: { description: string }; paths: object }
  t.match(info.description, '`/client/v4/accounts/{account_id}/realtime/kit/{app_id}/…`')
  t.notOk(Object.keys(paths).some(path => path.startsWith('/client')))
})
