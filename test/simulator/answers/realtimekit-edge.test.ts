import { randomUUID } from 'node:crypto'
import t from 'tap'
import { createSimulator } from '../../../src/simulator/simulator.ts'
import { basic, nobody, type Reply, send, simulate } from '../../support/simulator/helper.ts'

/** Cloudflare's envelope, whole: its codes, and nothing of what stands behind the edge. */
function edge({ status, json }: Reply): [number, number[]] {
  const { errors, ...rest } = json
  t.strictSame(rest, { success: false, messages: [], result: null })
  for (const { message } of errors) t.type(message, 'string')
  return [status, errors.map(({ code }: { code: number }) => code)]
}

t.test('the base address has no account in it, the address of the operations does', async t => {
  const { simulator } = await simulate(t, { vendor: 'realtimekit' })
  const { url, apiUrl, origin, account, app, token } = simulator
  t.equal(url, `${origin}/client/v4`)
  t.equal(apiUrl, `${url}/accounts/${account}/realtime/kit/${app}`)
  t.match({ account, app, token }, { account: /^[0-9a-f]{32}$/, app: /^[0-9a-f-]{36}$/, token: /^\w{40}$/ })
  t.match(simulator, { vendor: 'realtimekit', key: '' })
  const dyte = await createSimulator()
  t.teardown(() => dyte.close())
  t.match(dyte, { vendor: 'dyte', apiUrl: dyte.url, account: '', app: '', token: '' })
})

t.test('account, app and token are made anew for each simulator, or are those that were asked for', async t => {
  const [{ simulator: one }, { simulator: other }] = [
    await simulate(t, { vendor: 'realtimekit' }),
    await simulate(t, { vendor: 'realtimekit' })
  ]
  for (const name of ['account', 'app', 'token'] as const) t.not(one[name], other[name])
  const wish = { account: '0'.repeat(32), app: 'f'.repeat(32), token: randomUUID() }
  const { simulator: chosen, call } = await simulate(t, { vendor: 'realtimekit', ...wish })
  t.match(chosen, wish)
  t.equal((await call('GET', '/meetings')).status, 200)
})

t.test('without credentials, with malformed or wrong ones, the edge says which', async t => {
  const { simulator, call } = await simulate(t, { vendor: 'realtimekit' })
  const { apiUrl, origin, token, org } = simulator
  const path = apiUrl.slice(origin.length)
  const malformed = ['', 'Bearer', 'Bearer ', `Bearer ${token} ${token}`, 'Bearer {}', token, basic(org, token)]
  const cases: [string | undefined, [number, number[]]][] = [
    [undefined, [400, [9106]]],
    ...malformed.map((one): [string, [number, number[]]] => [one, [400, [6003]]]),
    [`Bearer ${token}x`, [403, [10000]]],
    ['Bearer wrong', [403, [10000]]]
  ]
  for (const [authorization, expected] of cases) {
    const headers = authorization === undefined ? {} : { authorization }
    for (const target of [`${path}/meetings`, `${path}/nowhere`, '/v2/meetings', '/']) {
      const reply = await send(simulator, 'GET', target, undefined, headers)
      t.strictSame(edge(reply), expected, `${authorization} on ${target}`)
    }
  }
  const { json } = await send(simulator, 'GET', `${path}/meetings`, undefined, { authorization: 'Bearer {}' })
  t.strictSame(json.errors, [
    {
      code: 6003,
      message: 'Invalid request headers',
      error_chain: [{ code: 6111, message: 'Invalid format for Authorization header' }]
    }
  ])
  t.notOk(simulator.journal.some(({ executed }) => executed))
  t.equal((await call('GET', '/meetings', undefined, { authorization: `bearer ${token}` })).status, 200)
})

t.test('badToken 401 is the other answer to a wrong token', async t => {
  const { call } = await simulate(t, { vendor: 'realtimekit', badToken: '401' })
  const headers = { authorization: 'Bearer wrong' }
  t.strictSame(edge(await call('GET', '/meetings', undefined, headers)), [401, [10000]])
})

t.test('another account, another app and what is neither have answers of their own', async t => {
  const { simulator } = await simulate(t, { vendor: 'realtimekit' })
  const { account, app, token } = simulator
  const authorization = `Bearer ${token}`
  const at = (target: string) => send(simulator, 'GET', target, undefined, { authorization })
  const meetings = (inAccount: string, inApp: string) =>
    at(`/client/v4/accounts/${inAccount}/realtime/kit/${inApp}/meetings`)
  t.equal((await meetings(account, app)).status, 200)
  t.strictSame(edge(await meetings('0'.repeat(32), app)), [403, [10000]], 'no rights for that account')
  for (const malformed of ['x', `${account}0`, '..', '%2e%2e'])
    t.strictSame(edge(await meetings(malformed, app)), [404, [7003, 7000]], malformed)
  for (const inApp of [nobody, 'x', '..', app.toUpperCase().replace(/^/, 'X')])
    t.strictSame(edge(await meetings(account, inApp)), [404, [7003, 7000]], inApp)
  t.match((await meetings(account, 'x')).json.errors[0].message, `/accounts/${account}/realtime/kit/x/meetings`)
})

t.test('there is nothing outside of the app but the list of apps', async t => {
  const { simulator, call, clock } = await simulate(t, { vendor: 'realtimekit' })
  const { account, app, token } = simulator
  const ask = (method: string, target: string) =>
    send(simulator, method, target, undefined, { authorization: `Bearer ${token}` })
  const kit = `/client/v4/accounts/${account}/realtime/kit`
  for (const target of ['/', '/v2/meetings', '/client/v4/zones', `${kit}`, `${kit}/${app}`])
    t.strictSame(edge(await ask('GET', target)), [404, [7000]], target)
  for (const path of ['/nowhere', '/meetings/', '/../apps', `/meetings/${nobody}/livestreams`])
    t.strictSame(edge(await call('GET', path)), [404, [7000]], path)
  const apps = await ask('GET', `${kit}/apps?per_page=5`)
  const created_at = new Date(clock.at).toISOString()
  t.strictSame(apps.json, {
    success: true,
    data: [{ id: app, name: 'simulated', created_at }],
    paging: { total_count: 1, start_offset: 1, end_offset: 1 }
  })
  t.strictSame(edge(await ask('POST', `${kit}/apps`)), [404, [7000]])
  t.strictSame(edge(await ask('GET', `${kit}/apps/meetings`)), [404, [7003, 7000]])
})

t.test('the API behind the edge refuses as Dyte does', async t => {
  const { call } = await simulate(t, { vendor: 'realtimekit' })
  t.strictSame((await call('GET', `/meetings/${nobody}`)).json, {
    success: false,
    error: { code: 404, message: `No meeting found with id ${nobody}` }
  })
  t.match(await call('POST', '/meetings', '{'), { status: 400, json: { success: false, error: { code: 400 } } })
})

t.test('whether a token is good can be asked without any account', async t => {
  const { simulator } = await simulate(t, { vendor: 'realtimekit', badToken: '403' })
  const verify = (authorization: string) =>
    send(simulator, 'GET', '/client/v4/user/tokens/verify', undefined, { authorization })
  t.match(await verify(`Bearer ${simulator.token}`), {
    status: 200,
    json: { success: true, result: { status: 'active' } }
  })
  t.strictSame(edge(await verify('Bearer wrong')), [401, [1000]], 'of its own, whatever other operations answer')
  t.strictSame(edge(await verify('wrong')), [400, [6003]])
})
