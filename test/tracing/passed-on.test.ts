import { request } from 'node:http'
import t from 'tap'
import { gateway } from '../support/gateway.ts'
import { until } from '../support/until.ts'

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const traceparent = `00-${traceId}-00f067aa0ba902b7-01`
const fields = { traceparent, tracestate: 'congo=t61rcWkgMzE', baggage: 'userId=alice' }

t.test('a gateway that records no traces', async t => {
  const { asAcme, as, withKey, url, meeting, simulator, events, logs } = await gateway(t)
  const active = `/v2/meetings/${meeting}/active-livestream`
  const sentBy = async (call: () => Promise<unknown>) => {
    const before = simulator.journal.length
    await call()
    return simulator.journal.slice(before).map(({ headers }) => headers)
  }

  await t.test(
    'passes the trace of a call on with everything that it asks of the vendor, and no other field',
    async t => {
      const start = () => asAcme('POST', `/v2/meetings/${meeting}/livestreams`, {}, fields)
      const sent = await sentBy(start)
      t.ok(sent.length >= 2, 'a look and the start')
      for (const headers of sent) {
        t.equal(headers.traceparent, traceparent)
        t.notOk('tracestate' in headers || 'baggage' in headers)
      }
      const read = await sentBy(() => asAcme('GET', active, undefined, fields))
      t.strictSame(
        read.map(headers => headers.traceparent),
        [traceparent]
      )
    }
  )

  await t.test('sends none for a call without one, and ignores one that is wrong', async t => {
    const calls = [{}, { traceparent: 'yes' }, { traceparent: `${traceparent}, ${traceparent}` }, { tracestate: 'a=b' }]
    for (const headers of calls) {
      const sent = await sentBy(() => asAcme('GET', active, undefined, headers))
      t.strictSame(
        sent.map(headers => headers.traceparent),
        [undefined],
        JSON.stringify(headers)
      )
    }
  })

  await t.test('has the trace in its log, its errors and its audit events', async t => {
    const refused = await asAcme('GET', '/v2/meetings/no-such-meeting/active-livestream', undefined, fields)
    t.equal(refused.json().error.trace_id, traceId)
    t.equal((await asAcme('GET', '/v2/meetings/no-such-meeting/active-livestream')).json().error.trace_id, undefined)
    const lines = logs().trimEnd().split('\n')
    t.equal(lines.filter(line => JSON.parse(line).trace_id === traceId).length, 1)
    await asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`, {}, fields)
    const traced = (await events()).filter(({ trace }) => trace !== undefined)
    for (const { trace, metadata } of traced) {
      t.strictSame(trace, { uid: traceId })
      t.strictSame(metadata.profiles, ['security_control', 'trace'])
    }
    const told = traced.map(({ api, unmapped }) => `${api.operation} ${unmapped.outcome}`)
    const both = (action: string) => [`${action} pending`, `${action} done`]
    for (const event of [...both('startLivestream'), ...both('stopLivestream'), 'getActiveLivestream refused'])
      t.ok(told.includes(event), event)
  })

  await t.test('does not believe a stranger about traces', async t => {
    const stranger = await as('Bearer no-key')('GET', active, undefined, fields)
    t.equal(stranger.statusCode, 401)
    t.equal(stranger.json().error.trace_id, undefined)
  })

  await t.test('keeps the trace of a start whose caller has hung up', async t => {
    const before = simulator.journal.length
    simulator.failNext({ match: { method: 'GET' }, delayMs: 100 })
    const headers = { ...fields, authorization: `Bearer ${(await withKey('acme', ['livestreams:start'])).key}` }
    const call = request(`${url}/v2/meetings/${meeting}/livestreams`, { method: 'POST', headers, agent: false })
    call.on('error', () => {}).end()
    await until(() => simulator.journal.length > before)
    call.destroy()
    const start = () => simulator.journal.slice(before).find(({ method }) => method === 'POST')
    await until(() => start() !== undefined)
    t.equal(start()?.headers.traceparent, traceparent)
  })
})
