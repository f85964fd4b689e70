import { request } from 'node:http'
import t from 'tap'
import { type Network, parseNetwork } from '../../../src/domain/values/address.ts'
import { type Client, gateway } from '../../support/gateway.ts'
import { isEnvelope } from '../../support/http/helper.ts'
import { until } from '../../support/until.ts'

const meetingPath = (meeting: string): string => `/v2/meetings/${meeting}`
const startOf = (meeting: string): string => `${meetingPath(meeting)}/livestreams`
const activeOf = (meeting: string): string => `${meetingPath(meeting)}/active-livestream`

/** Reads until the meeting is LIVE, as its front end does: the ledger hears of it from that. */
const seenLive = (call: Client, meeting: string) =>
  until(async () => (await call('GET', activeOf(meeting))).json().data?.status === 'LIVE')

/** The runs of these worlds are live after a moment, and each read is a look. */
const slowly = { simulator: { liveAfterMs: 500 }, config: { readTtlMs: 0 } }
/** They are never live. */
const never = { simulator: { liveAfterMs: 3_600_000 }, config: { readTtlMs: 0 } }

// Each has a gateway of its own, and waits for it.
t.jobs = 4

t.test('a start answers when viewers can play, and its replay waits anew', async t => {
  const { asAcme, meeting, upstream } = await gateway(t, slowly)
  const headers = { 'idempotency-key': 'one' }
  const starting = asAcme('POST', `${startOf(meeting)}?wait=live&timeout=60`, {}, headers)
  await until(() => upstream().includes(`POST ${startOf(meeting)}`))
  await seenLive(asAcme, meeting)
  const started = await starting
  t.equal(started.statusCode, 201)
  t.match(started.json().data, { status: 'LIVE', playback_url: /^https:/, stream_key: String })

  const stored = await asAcme('POST', startOf(meeting), {}, headers)
  t.equal(stored.statusCode, 201)
  t.match(stored.json().data, { id: started.json().data.id, status: 'INVOKED' }, 'the wait is no part of what is kept')
  const again = await asAcme('POST', `${startOf(meeting)}?wait=live`, {}, headers)
  t.match(again.headers, { 'idempotency-replayed': 'true' })
  t.match(again.json().data, { status: 'LIVE', playback_url: /^https:/, stream_key: undefined })
  const joined = await asAcme('POST', `${startOf(meeting)}?wait=live`)
  t.match([joined.statusCode, joined.json().data.status], [200, 'LIVE'])
  t.equal(upstream().filter(call => call === `POST ${startOf(meeting)}`).length, 1)
})

t.test('many who wait for one run cost no call of the vendor, and no work in flight', async t => {
  const { asAcme, meeting, upstream } = await gateway(t, {
    simulator: { liveAfterMs: 1_500 },
    config: { maxInFlight: 2, readTtlMs: 60_000 }
  })
  await asAcme('POST', startOf(meeting))
  const before = upstream().length
  const waiting = Array.from({ length: 50 }, async () => {
    for (;;) {
      const reply = await asAcme('GET', `${activeOf(meeting)}?wait=live`)
      if (reply.statusCode !== 429) return reply
    }
  })
  await until(async () => (await asAcme('GET', '/gateway/usage')).json().data?.in_flight.now === 1)
  t.equal(upstream().length, before)
  const livestream = (await asAcme('GET', activeOf(meeting))).json().data.id
  await until(
    async () =>
      (await asAcme('GET', `/v2/livestreams/${livestream}?page_no=${Math.ceil(Math.random() * 1e5)}`)).json().data
        ?.livestream.status === 'LIVE'
  )
  const looks = upstream().length - before
  for (const reply of await Promise.all(waiting))
    t.match(reply.json().data, { status: 'LIVE', playback_url: /^https:/ })
  t.equal(upstream().length - before, looks)
})

t.test('at the time-out the answer shows what is there now', async t => {
  const { asAcme, meeting } = await gateway(t, never)
  const nothing = await asAcme('GET', `${activeOf(meeting)}?wait=live&timeout=1`)
  t.ok(isEnvelope(nothing, 404, 'no_active_livestream'))
  const began = performance.now()
  const started = await asAcme('POST', `${startOf(meeting)}?wait=live&timeout=1`)
  t.ok(performance.now() - began >= 990)
  t.match([started.statusCode, started.json().data.status], [201, 'INVOKED'])
  const active = await asAcme('GET', `${activeOf(meeting)}?wait=live&timeout=1`)
  t.match([active.statusCode, active.json().data.status], [200, 'INVOKED'])
})

t.test('a viewer may wait for a start that is yet to come', async t => {
  const { asAcme, meeting } = await gateway(t, slowly)
  const watching = asAcme('GET', `${activeOf(meeting)}?wait=live&timeout=60`)
  await until(async () => (await asAcme('GET', activeOf(meeting))).statusCode === 404)
  await asAcme('POST', startOf(meeting))
  await seenLive(asAcme, meeting)
  t.match((await watching).json().data, { status: 'LIVE', playback_url: /^https:/ })
})

t.test('a run that ends before it is live ends the wait', async t => {
  const { asAcme, meeting } = await gateway(t, never)
  const starting = asAcme('POST', `${startOf(meeting)}?wait=live&timeout=60`)
  await until(async () => (await asAcme('GET', activeOf(meeting))).statusCode === 200)
  const watching = asAcme('GET', `${activeOf(meeting)}?wait=live&timeout=60`)
  await until(async () => (await asAcme('GET', '/gateway/usage')).json().data.in_flight.now === 1)
  t.equal((await asAcme('POST', `${activeOf(meeting)}/stop`)).statusCode, 200)
  const started = await starting
  t.match([started.statusCode, started.json().data.status], [201, 'IDLE'])
  t.ok(isEnvelope(await watching, 404, 'no_active_livestream'))
})

t.test('a refused start waits for nothing', async t => {
  const { asAcme, meeting } = await gateway(t, never)
  await asAcme('PATCH', meetingPath(meeting), { status: 'INACTIVE' })
  const headers = { 'idempotency-key': 'one' }
  for (let i = 0; i < 2; i++) {
    const refused = await asAcme('POST', `${startOf(meeting)}?wait=live&timeout=60`, {}, headers)
    t.ok(refused.statusCode >= 400, String(refused.statusCode))
  }
})

t.test('a bad wait is refused before anything is sent, with the name of the field', async t => {
  const { asAcme, meeting, upstream } = await gateway(t, never)
  const bad: [query: string, field: string, message: RegExp][] = [
    ['wait=ended', 'query.wait', /^must be one of live$/],
    ['wait=', 'query.wait', /^must be one of live$/],
    ['wait=live&wait=live', 'query.wait', /must be/],
    ['wait=live&timeout=0', 'query.timeout', /must be >= 1/],
    ['wait=live&timeout=61', 'query.timeout', /must be <= 60/],
    ['wait=live&timeout=1.5', 'query.timeout', /must be integer/],
    ['wait=live&timeout=soon', 'query.timeout', /must be integer/],
    ['timeout=5', 'query.timeout', /^is for wait=live$/]
  ]
  for (const [query, field, message] of bad) {
    for (const [method, path] of [
      ['POST', startOf(meeting)],
      ['GET', activeOf(meeting)]
    ] as const) {
      const refused = await asAcme(method, `${path}?${query}`)
      t.ok(isEnvelope(refused, 400, 'invalid_input'), `${method} ${query}`)
      t.match(refused.json().error.details[0], { field, message })
    }
  }
  t.strictSame(upstream(), [])
})

t.test('the end of the gateway answers those who wait with what is there', async t => {
  const { asAcme, meeting, close, upstream } = await gateway(t, { ...never, config: { shutdownMs: 60_000 } })
  const starting = asAcme('POST', `${startOf(meeting)}?wait=live&timeout=60`)
  await until(() => upstream().includes(`POST ${startOf(meeting)}`))
  await until(async () => (await asAcme('GET', '/gateway/usage')).json().data.in_flight.now === 1)
  const began = performance.now()
  const [started] = await Promise.all([starting, close()])
  t.ok(performance.now() - began < 10_000)
  t.match([started.statusCode, started.json().data.status], [201, 'INVOKED'])
})

t.test('a caller that hangs up while it waits leaves its place', async t => {
  const { url, withKey, meeting, upstream } = await gateway(t, {
    ...never,
    config: { maxConnections: 4, trustedProxies: [parseNetwork('127.0.0.1/32') as Network] }
  })
  const { key, call } = await withKey('acme', ['livestreams:read', 'livestreams:start'])
  const headers = { authorization: `Bearer ${key}` }
  const calls = Array.from({ length: 2 }, () =>
    request(`${url}${startOf(meeting)}?wait=live&timeout=60`, { agent: false, method: 'POST', headers }).on(
      'error',
      () => {}
    )
  )
  for (const one of calls) one.end()
  await until(() => upstream().includes(`POST ${startOf(meeting)}`))
  const wait = () => call('GET', `${activeOf(meeting)}?wait=live&timeout=1`)
  t.equal((await wait()).statusCode, 429, 'half of all connections may wait')
  for (const one of calls) one.destroy()
  await until(async () => (await wait()).statusCode === 200)
})
