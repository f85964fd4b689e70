import { connect } from 'node:net'
import t from 'tap'
import { basic, send, simulate, until } from '../../support/simulator/helper.ts'

t.test('the journal keeps each vendor request as it came, in order', async t => {
  const { simulator, clock, call } = await simulate(t)
  const { id } = simulator.addMeeting()
  await call('POST', `/meetings/${id}/livestreams`, '{ "name": "a-b" }', { 'X-Request-Id': 'one' })
  clock.pass(5)
  await call('GET', '/livestreams?per_page=%31')
  t.match(simulator.journal, [
    {
      method: 'POST',
      target: `/v2/meetings/${id}/livestreams`,
      headers: { authorization: basic(simulator.org, simulator.key), 'x-request-id': 'one' },
      body: '{ "name": "a-b" }',
      status: 201,
      executed: true,
      at: clock.at - 5
    },
    { method: 'GET', target: '/v2/livestreams?per_page=%31', body: '', status: 200, executed: true, at: clock.at }
  ])
})

t.test('the journal is bounded, the oldest go first', async t => {
  const { simulator, call } = await simulate(t, { journalLimit: 3 })
  for (const page of [1, 2, 3, 4, 5]) await call('GET', `/livestreams?page_no=${page}`)
  t.strictSame(
    simulator.journal.map(({ target }) => target),
    [3, 4, 5].map(page => `/v2/livestreams?page_no=${page}`)
  )
})

t.test('a refused request was not executed', async t => {
  const { simulator, call } = await simulate(t)
  await send(simulator, 'GET', '/v2/livestreams')
  await call('GET', '/nowhere')
  await call('POST', '/livestreams', 'no json')
  t.match(simulator.journal, [
    { status: 401, executed: false },
    { status: 404, executed: false },
    { status: 400, executed: false, body: 'no json' }
  ])
})

t.test('a request that breaks off in its body is noted and does nothing', async t => {
  const { simulator, call } = await simulate(t)
  const { org, key, port } = simulator
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  socket.write(
    `POST /v2/livestreams HTTP/1.1\r\nHost: x\r\nAuthorization: ${basic(org, key)}\r\nContent-Length: 9\r\n\r\n{"na`
  )
  await until(() => simulator.journal.length === 1)
  socket.destroy()
  t.match(await call('GET', '/livestreams'), { status: 200, json: { data: [] } })
  t.match(simulator.journal[0], { method: 'POST', body: '', status: null, executed: false })
})
