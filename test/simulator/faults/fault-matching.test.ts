import t from 'tap'
import type { Fault } from '../../../src/simulator/simulator.ts'
import { nobody, send, simulate } from '../../support/simulator/helper.ts'

t.test('a fault hits the next request that it matches, by method, path or both', async t => {
  const { simulator, call } = await simulate(t)
  simulator.failNext([
    { match: { method: 'put' }, status: 501 },
    { match: { path: '/meetings' }, status: 502 },
    { match: { method: 'GET', path: '/livestreams/*/active-livestream-session' }, status: 503 }
  ])
  t.match(await call('GET', '/livestreams?per_page=1'), { status: 200 })
  t.match(await call('GET', `/livestreams/${nobody}/active-livestream-session`), { status: 503 })
  t.match(await call('GET', '/meetings?per_page=1'), { status: 502 }, 'the query is not part of the path')
  t.match(await call('GET', '/meetings'), { status: 200 }, 'once only')
  t.match(await call('PUT', `/meetings/${nobody}`), { status: 501 })
})

t.test('one star stays within a segment, two do not, and other signs mean themselves', async t => {
  const { simulator, call } = await simulate(t)
  const isHit = async (pattern: string, path: string): Promise<boolean> => {
    simulator.clearFaults()
    simulator.failNext({ match: { path: pattern }, status: 599 })
    return (await call('GET', path)).status === 599
  }
  t.equal(await isHit('/meetings/*', '/meetings/x'), true)
  t.equal(await isHit('/meetings/*', '/meetings/x/livestreams'), false)
  t.equal(await isHit('/meetings/**', '/meetings/x/livestreams'), true)
  t.equal(await isHit('/**', '/anything/at/all'), true)
  t.equal(await isHit('/a.c', '/abc'), false)
  t.equal(await isHit('/meetings', '/meetings/x'), false)
})

t.test('a pattern never fits outside of the base url, a fault without one fits everywhere', async t => {
  const { simulator } = await simulate(t)
  simulator.failNext([{ match: { path: '/**' }, status: 501 }, { status: 502 }])
  t.match(await send(simulator, 'GET', '/livestreams'), { status: 502 })
  t.match(await send(simulator, 'GET', '/v2/livestreams'), { status: 501 }, 'without credentials too')
})

t.test('a fault that stays hits every request until it is taken back, after the queued ones', async t => {
  const { simulator, call } = await simulate(t)
  const restore = simulator.fail({ match: { path: '/meetings' }, status: 503 })
  simulator.fail({ status: 500 })
  simulator.failNext({ status: 418 }, 2)
  const statuses: number[] = []
  for (let i = 0; i < 4; i++) statuses.push((await call('GET', '/meetings')).status)
  t.strictSame(statuses, [418, 418, 503, 503])
  restore()
  t.match(await call('GET', '/meetings'), { status: 500 })
  simulator.clearFaults()
  t.match(await call('GET', '/meetings'), { status: 200 })
  restore()
})

t.test('a fault that makes no sense is refused, and the field is named', async t => {
  const { simulator } = await simulate(t)
  const wrong: Record<string, unknown[]> = {
    match: ['/meetings'],
    status: ['500', 199, 600],
    body: [null, 7],
    headers: ['x', { 'bad name': 'x' }, { 'x-note': 'a\nb' }, { 'x-note': 7 }],
    delayMs: ['1s', -1],
    afterWork: [1],
    hangUp: ['yes'],
    stall: [0],
    stallBody: [null],
    garbage: ['x'],
    drip: [5, {}, { bytesPerSecond: 0 }, { bytesPerSecond: '9' }, { bytesPerSecond: 1, colour: 'red' }],
    huge: [0, '1kB'],
    retryAfterSeconds: [-1, '4'],
    redirect: [7, 'a\nb'],
    mutate: ['everything'],
    hangup: [true]
  }
  for (const [name, values] of Object.entries(wrong)) {
    for (const value of values) {
      const fault = { [name]: value } as Fault
      t.throws(() => simulator.failNext(fault), { message: `"${name}"` }, `${name}: ${JSON.stringify(value)}`)
      t.throws(() => simulator.fail(fault), { message: `"${name}"` })
    }
  }
  for (const match of [{ path: 'meetings' }, { method: 7 }, { paths: '/x' }]) {
    t.throws(() => simulator.failNext({ match } as unknown as Fault), { message: 'fault match' })
  }
  for (const times of [0, 1.5, 'x']) {
    t.throws(() => simulator.failNext({ status: 500 }, times as number), { message: '"times" must be a whole number' })
  }
  t.throws(() => simulator.failNext([{ status: 500 }, { status: 1 }]), RangeError)
  t.match(await send(simulator, 'GET', '/v2/meetings'), { status: 401 }, 'nothing of it was queued')
})
