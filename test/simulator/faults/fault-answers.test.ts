import t from 'tap'
import { simulate } from '../../support/simulator/helper.ts'

const start = async (t: Parameters<typeof simulate>[0]) => {
  const running = await simulate(t)
  const { id } = running.simulator.addMeeting()
  return { ...running, start: () => running.call('POST', `/meetings/${id}/livestreams`) }
}

t.test('a status stands instead of the work, with the body and headers that were given', async t => {
  const { simulator, start: send } = await start(t)
  const fault = { status: 503, body: { message: 'later' }, headers: { 'x-note': 'made up' } }
  simulator.failNext([fault, { status: 500 }, { body: 'plain words' }])
  const first = await send()
  t.match(first, { status: 503, json: { message: 'later' }, headers: { 'x-note': 'made up' } })
  t.match(await send(), { status: 500, text: '' })
  t.match(await send(), { status: 200, text: 'plain words' })
  t.strictSame(simulator.livestreams(), [])
  t.match(simulator.journal[0], { status: 503, executed: false })
  t.strictSame(simulator.journal[0]?.fault, fault)
  t.match(await send(), { status: 201 })
  t.notOk('fault' in (simulator.journal.at(-1) ?? {}))
})

t.test('with afterWork the livestream has started although the answer denies it', async t => {
  const { simulator, start: send } = await start(t)
  simulator.failNext({ status: 500, body: { success: false }, afterWork: true })
  t.match(await send(), { status: 500 })
  t.match(simulator.livestreams(), [{ starts: 1 }])
  t.match(simulator.journal, [{ status: 500, executed: true }])
})

t.test('afterWork alone, a delay and headers alone leave the real answer', async t => {
  const { simulator, start: send } = await start(t)
  simulator.failNext({ afterWork: true, delayMs: 1, headers: { ratelimit: '"default";r=1;t=9' } })
  t.match(await send(), { status: 201, json: { success: true }, headers: { ratelimit: '"default";r=1;t=9' } })
  simulator.failNext({ delayMs: 1 })
  t.match(await send(), { status: 409 })
})

t.test('the rate limit is the one of the vendor, without a body', async t => {
  const { simulator, start: send } = await start(t)
  simulator.failNext([{ retryAfterSeconds: 4 }, { status: 429, retryAfterSeconds: 9, body: { slow: 'down' } }])
  const { status, headers, text } = await send()
  t.equal(status, 429)
  t.equal(text, '')
  t.match(headers, { 'retry-after': '4', 'x-envoy-ratelimited': 'true', server: 'envoy', 'content-length': '0' })
  t.notOk('content-type' in headers)
  t.match(await send(), { status: 429, headers: { 'retry-after': '9' }, json: { slow: 'down' } })
  t.strictSame(simulator.livestreams(), [])
})

t.test('a redirect names its location', async t => {
  const { simulator, start: send } = await start(t)
  simulator.failNext([{ redirect: 'http://127.0.0.1:9/elsewhere' }, { redirect: '/v2/x', status: 307 }])
  t.match(await send(), { status: 302, headers: { location: 'http://127.0.0.1:9/elsewhere' } })
  t.match(await send(), { status: 307, headers: { location: '/v2/x' } })
})

t.test('garbage is a 200 that is not JSON', async t => {
  const { simulator, start: send } = await start(t)
  simulator.failNext([{ garbage: true }, { garbage: true, status: 201 }])
  const { status, text } = await send()
  t.equal(status, 200)
  t.throws(() => JSON.parse(text))
  t.match(await send(), { status: 201 })
})

t.test('a huge answer is JSON of exactly that many bytes', async t => {
  const { simulator, start: send } = await start(t)
  simulator.failNext([{ huge: 200_000 }, { huge: 1, status: 201 }])
  const { status, text, json, headers } = await send()
  t.equal(status, 200)
  t.equal(text.length, 200_000)
  t.equal(headers['content-length'], '200000')
  t.equal(json.success, true)
  t.match(await send(), { status: 201, json: { data: { filler: '' } } })
})
