import { connect } from 'node:net'
import t from 'tap'
import { basic, nobody, send, simulate } from '../../support/simulator/helper.ts'

t.test('targets are taken byte for byte: what would collapse into a route is no route', async t => {
  const { simulator, call } = await simulate(t)
  const authorization = basic(simulator.org, simulator.key)
  const targets = [
    '/v2/meetings/../livestreams',
    '/v2/meetings/./livestreams',
    '/v2/../v2/livestreams',
    `/v2/meetings/${nobody}/../livestreams`,
    '/v2/livestreams/..',
    '/v2/livestreams/.',
    '/v2/livestreams/',
    '/v2//livestreams',
    '/v2/meetings//livestreams',
    '/v2/Livestreams',
    '/v2/livestreams%2f',
    '/v2/%6civestreams',
    '/v2',
    '/v2/',
    '/',
    '/livestreams',
    '/v20/livestreams',
    '/v2/_simulator/health',
    '/_simulator',
    'http://evil.example/v2/livestreams',
    '*'
  ]
  for (const target of targets) {
    const method = target === '*' ? 'OPTIONS' : 'GET'
    const { status, json } = await send(simulator, method, target, undefined, { authorization })
    t.equal(status, 404, target)
    t.match(json, { success: false, error: { code: 404, message: String } })
    t.equal(simulator.journal.at(-1)?.target, target)
  }
  t.match(await call('DELETE', `/livestreams/${nobody}`), { status: 404 }, 'there is no DELETE')
  t.match(await call('GET', '/livestreams?a=b?c#d'), { status: 200 })
})

t.test('the JSON content type with nothing behind it is fine everywhere', async t => {
  const { simulator, call } = await simulate(t)
  const { id } = simulator.addMeeting()
  const json = { 'content-type': 'application/json' }
  t.match(await call('POST', `/meetings/${id}/livestreams`, undefined, json), { status: 201 })
  t.match(await call('GET', `/meetings/${id}/active-livestream`, undefined, json), { status: 200 })
  t.match(await call('POST', `/meetings/${id}/active-livestream/stop`, undefined, json), { status: 200 })
})

t.test('a body that is no JSON object is a 400', async t => {
  const { call } = await simulate(t)
  for (const body of ['{', '[]', '7', 'null', '"x"', ' ']) {
    t.match(
      await call('POST', '/livestreams', body),
      { status: 400, json: { success: false, error: { code: 400 } } },
      body
    )
  }
})

t.test('a body beyond a mebibyte is a 413, in front and on the control endpoint', async t => {
  const { simulator, call } = await simulate(t)
  const body = JSON.stringify({ name: 'x'.repeat(1_048_576) })
  t.match(await call('POST', '/livestreams', body), { status: 413, json: { error: { code: 413 } } })
  t.match(simulator.journal, [{ status: 413, executed: false, body: '' }])
  t.match(await send(simulator, 'POST', '/_simulator/faults', body), { status: 413 })
})

t.test('a request that is not HTTP is answered and does not end the simulator', async t => {
  const { simulator, call } = await simulate(t)
  const answer = await new Promise<string>(resolve => {
    const socket = connect(simulator.port, '127.0.0.1', () => socket.end('NONSENSE\r\n\r\n'))
    socket.on('data', data => resolve(data.toString()))
  })
  t.match(answer, /^HTTP\/1\.1 400 /)
  t.match(await call('GET', '/livestreams'), { status: 200 })
})

t.test('exactly one of many starts at once begins a livestream', async t => {
  const { simulator, call } = await simulate(t)
  const { id } = simulator.addMeeting()
  const replies = await Promise.all(Array.from({ length: 50 }, () => call('POST', `/meetings/${id}/livestreams`)))
  t.equal(replies.filter(({ status }) => status === 201).length, 1)
  t.equal(replies.filter(({ status }) => status === 409).length, 49)
  t.match(simulator.livestreams(), [{ starts: 1 }])
})

t.test('a mistake inside the simulator is a 500 that shows itself', async t => {
  // The first look of a call notes when it came, the second is for its answer.
  let looks = Number.NEGATIVE_INFINITY
  const now = (): number => {
    looks += 1
    if (looks === 2) throw new Error('the clock is broken')
    return 0
  }
  const { call } = await simulate(t, { now })
  looks = 0
  t.match(await call('POST', '/livestreams'), { status: 500, json: { error: { message: /the clock is broken/ } } })
})
