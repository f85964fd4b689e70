import { once } from 'node:events'
import { request } from 'node:http'
import t, { type Test } from 'tap'
import { basic, simulate, until } from '../../support/simulator/helper.ts'

const setUp = async (t: Test) => {
  const running = await simulate(t)
  const { id } = running.simulator.addMeeting()
  return { ...running, send: () => running.call('POST', `/meetings/${id}/livestreams`) }
}

t.test('a vendor that hangs up has done nothing, or with afterWork everything', async t => {
  const { simulator, send } = await setUp(t)
  simulator.failNext([{ hangUp: true }, { hangUp: true, afterWork: true }])
  await t.rejects(send(), { code: 'ECONNRESET' })
  t.strictSame(simulator.livestreams(), [])
  await t.rejects(send(), { code: 'ECONNRESET' })
  t.match(simulator.livestreams(), [{ starts: 1 }])
  t.match(simulator.journal, [
    { status: null, executed: false },
    { status: null, executed: true }
  ])
})

t.test('a vendor that stalls never answers, and close ends it at once', async t => {
  const { simulator, send } = await setUp(t)
  simulator.failNext([{ stall: true }, { stall: true, afterWork: true }])
  const unanswered = [send(), send()].map(one => t.rejects(one, { code: 'ECONNRESET' }))
  await until(() => simulator.livestreams().length === 1)
  t.match(simulator.journal, [
    { status: null, executed: false },
    { status: null, executed: true }
  ])
  await simulator.close()
  await Promise.all(unanswered)
})

t.test('a stalled body has headers, half of its bytes and no end', async t => {
  const { simulator } = await setUp(t)
  const { port, org, key } = simulator
  for (const fault of [{ stallBody: true }, { stallBody: true, status: 500 }]) {
    simulator.failNext(fault)
    const headers = { authorization: basic(org, key) }
    const sent = request({ port, host: '127.0.0.1', path: '/v2/livestreams', headers, agent: false }).end()
    const [response] = await once(sent, 'response')
    let received = 0
    response.on('data', (chunk: Buffer) => {
      received += chunk.length
    })
    const half = Math.floor(Number(response.headers['content-length']) / 2)
    await until(() => received === half)
    t.notOk(response.complete)
    t.equal(simulator.journal.at(-1)?.status, fault.status ?? 200)
    sent.destroy()
  }
})

t.test('a delay comes before the work', async t => {
  const { simulator, send } = await setUp(t)
  simulator.failNext({ delayMs: 3_600_000 })
  const late = t.rejects(send(), { code: 'ECONNRESET' })
  await until(() => simulator.journal.length === 1)
  t.match(await send(), { status: 201 }, 'the other start is the first to be done')
  t.match(simulator.journal[0], { executed: false, status: null })
  await simulator.close()
  await late
})

t.test('with afterWork the delay comes between the work and its answer', async t => {
  const { simulator, send } = await setUp(t)
  simulator.failNext({ delayMs: 3_600_000, afterWork: true })
  const late = t.rejects(send(), { code: 'ECONNRESET' })
  await until(() => simulator.livestreams().length === 1)
  t.match(simulator.journal, [{ executed: true, status: null }])
  await simulator.close()
  await late
})

t.test('a caller that gives up during the delay does not undo its request', async t => {
  const { simulator } = await setUp(t)
  const { port, org, key } = simulator
  const headers = { authorization: basic(org, key) }
  simulator.failNext({ delayMs: 20 })
  const sent = request({
    port,
    host: '127.0.0.1',
    method: 'POST',
    path: '/v2/livestreams',
    headers,
    agent: false
  }).end()
  sent.on('error', () => {})
  await until(() => simulator.journal.length === 1)
  sent.destroy()
  await until(() => simulator.livestreams().length === 1)
  t.match(simulator.journal, [{ executed: true, status: null }])
})

t.test('a dripping answer arrives whole, in many pieces', async t => {
  const { simulator, send } = await setUp(t)
  simulator.failNext({ drip: { bytesPerSecond: 10_000 } })
  const { status, json, pieces } = await send()
  t.equal(status, 201)
  t.match(json, { success: true, data: { status: 'INVOKED' } })
  t.ok(pieces > 1)
})

t.test('a drip ends when its caller leaves', async t => {
  const { simulator, call } = await setUp(t)
  const { port, org, key } = simulator
  simulator.failNext({ drip: { bytesPerSecond: 1_000 } })
  const headers = { authorization: basic(org, key) }
  const sent = request({ port, host: '127.0.0.1', path: '/v2/livestreams', headers, agent: false }).end()
  const [response] = await once(sent, 'response')
  response.on('error', () => {})
  sent.destroy()
  t.match(await call('GET', '/livestreams'), { status: 200 })
})
