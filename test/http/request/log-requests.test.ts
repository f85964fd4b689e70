import { request } from 'node:http'
import Fastify from 'fastify'
import t from 'tap'
import { logRequests } from '../../../src/http/request/log-requests.ts'
import { decorateRequests } from '../../../src/http/request/request.ts'
import { gateway } from '../../support/gateway.ts'
import { until } from '../../support/until.ts'

t.test(
  'a request has one line that says whose it was, which and how it ended, and nothing that its caller wrote',
  async t => {
    const { asAcme, as, url, meeting, simulator, logs, withKey } = await gateway(t, { config: { logRequestsOneIn: 1 } })
    const lines = () =>
      logs()
        .split('\n')
        .filter(line => line.includes('"event":"request"'))
        .map(line => JSON.parse(line))
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
    await asAcme(
      'POST',
      `/v2/meetings/${meeting}/livestreams`,
      { name: 'canary' },
      { traceparent, 'x-request-id': 'r-1' }
    )
    await asAcme('GET', '/v2/meetings/no-such-meeting/active-livestream')
    await as('Bearer canary')('GET', '/nowhere/canary')
    await until(() => lines().length === 3)
    const [start, missing, nowhere] = lines()
    const trace_id = '4bf92f3577b34da6a3ce929d0e0e4736'
    const ofStart = { request_id: 'r-1', operation: 'startLivestream', method: 'POST', tenant: 'acme', status: 201 }
    t.match(start, {
      ...ofStart,
      level: 30,
      key: String,
      outcome: 'done',
      duration_ms: Number,
      trace_id,
      msg: 'request'
    })
    t.match(missing, { operation: 'getActiveLivestream', status: 404, type: 'meeting_not_found', outcome: 'refused' })
    t.match(nowhere, { operation: 'unknown', status: 404, tenant: null, key: null })
    t.notMatch(logs(), 'canary')

    const { key } = await withKey('acme', ['livestreams:read'])
    simulator.failNext({ match: { method: 'GET' }, delayMs: 200 })
    const before = simulator.journal.length
    const headers = { authorization: `Bearer ${key}` }
    const call = request(`${url}/v2/meetings/${meeting}/active-livestream`, { headers, agent: false })
    call.on('error', () => {}).end()
    await until(() => simulator.journal.length > before)
    call.destroy()
    await until(() => lines().some(({ outcome }) => outcome === 'caller_left'))
  }
)

t.test('a share of the requests has lines, by chance', async t => {
  const told: unknown[] = []
  const chances = [0.0099, 0.01, 0.5, 0, 0.999]
  const app = Fastify()
  t.teardown(() => app.close())
  decorateRequests(app)
  app.addHook('onRequest', (request, _reply, done) => {
    request.log = { ...request.log, info: (facts: object) => void told.push(facts) } as typeof request.log
    done()
  })
  logRequests(app, { oneIn: 100, random: () => chances.shift() ?? 1 })
  app.get('/', async () => 'here')
  while (chances.length > 0) await app.inject('/')
  t.equal(told.length, 2)
})

t.test('the log is silent about requests where nobody has asked for them', async t => {
  const { asAcme, logs } = await gateway(t)
  await asAcme('GET', '/v2/livestreams')
  t.notMatch(logs(), '"event":"request"')
})
