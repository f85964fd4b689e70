import t, { type Test } from 'tap'
import { createSimulator } from '../../../src/simulator/simulator.ts'
import { manualClock } from '../../support/clock.ts'

async function vendorOf(t: Test, quota: string) {
  const clock = manualClock()
  const simulator = await createSimulator({ quota, now: clock.now })
  t.teardown(() => simulator.close())
  const authorization = `Basic ${Buffer.from(`${simulator.org}:${simulator.key}`).toString('base64')}`
  const call = () => fetch(`${simulator.url}/meetings`, { headers: { authorization } })
  const calls = async (count: number): Promise<number[]> => {
    const statuses: number[] = []
    for (let i = 0; i < count; i++) statuses.push((await call()).status)
    return statuses
  }
  return { clock, call, calls, simulator }
}

t.test('the vendor refuses what exceeds its quota in any window', async t => {
  const { calls, call, clock } = await vendorOf(t, '3/10')
  t.strictSame(await calls(4), [200, 200, 200, 429])
  const refusal = await call()
  t.equal(refusal.headers.get('retry-after'), '10')
  t.equal(refusal.headers.get('x-envoy-ratelimited'), 'true')
  t.equal(refusal.headers.get('server'), 'envoy')
  t.equal(await refusal.text(), '')
  clock.advance(10_000)
  t.strictSame(await calls(4), [200, 200, 200, 429])
})

t.test('one with a lock-out then refuses everything for a while', async t => {
  const { calls, clock, call } = await vendorOf(t, '2/1,5')
  t.strictSame(await calls(3), [200, 200, 429])
  clock.advance(4_999)
  const refusal = await call()
  t.equal(refusal.status, 429)
  t.equal(refusal.headers.get('retry-after'), '1')
  clock.advance(1)
  t.strictSame(await calls(2), [200, 200])
})

t.test('a quota that is something else is refused', async t => {
  for (const quota of ['12', '0/3', '12/3,', 'many'])
    await t.rejects(createSimulator({ quota }), /"quota" must be empty, or calls\/seconds/, quota)
})
