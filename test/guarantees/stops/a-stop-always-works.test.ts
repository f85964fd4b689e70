import t from 'tap'
import { gatewayBehindDoor } from '../../support/broadcast/door.ts'
import { lockStore } from '../../support/faulty-store.ts'
import { gateway } from '../../support/gateway.ts'
import { until } from '../../support/until.ts'

t.test("a spent limit holds back the tenant's starts and reads, and not its stop", async t => {
  const { asAcme, meeting, simulator } = await gateway(t, {
    config: { writeLimit: { calls: 1, seconds: 60, burst: 1 }, readLimit: { calls: 1, seconds: 60, burst: 1 } }
  })
  t.equal((await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).statusCode, 201)
  t.equal((await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).statusCode, 429)
  t.equal((await asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)).statusCode, 200)
  t.equal(simulator.livestreams()[0]?.status, 'IDLE')
})

t.test(
  'a store that cannot be written does not hold back a stop; its events are in the log at once, in the store later',
  async t => {
    const { asAcme, meeting, storeFile, simulator, events, logs } = await gateway(t)
    await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
    const unlock = lockStore(storeFile)
    const reply = await asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`, undefined, {
      'x-request-id': 'blind'
    })
    t.equal(reply.statusCode, 200)
    t.equal(simulator.livestreams()[0]?.status, 'IDLE')
    t.match(logs(), /"correlation_uid":"blind"/)
    unlock()
    const outcomes = async () =>
      (await events()).filter(event => event.metadata.correlation_uid === 'blind').map(event => event.unmapped.outcome)
    await until(async () => (await outcomes().catch(() => [])).length === 2)
    t.strictSame(await outcomes(), ['pending', 'done'])
  }
)

t.test('a vendor that never answers reads does not hold back a stop', async t => {
  const { asAcme, meeting, simulator, door } = await gatewayBehindDoor(t)
  const { id } = (await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).json().data
  door.hold('GET')
  const reads = Array.from({ length: 100 }, (_, i) => asAcme('GET', `/v2/livestreams/${id}?page_no=${i + 1}`))
  await until(() => door.held().length === 100)
  t.equal((await asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)).statusCode, 200)
  t.equal(simulator.livestreams()[0]?.status, 'IDLE')
  t.equal(door.held().length, 100, 'none of them had its answer')
  door.release()
  t.strictSame(new Set((await Promise.all(reads)).map(({ statusCode }) => statusCode)), new Set([200]))
})

t.test('a stop needs the scope for stopping alone', async t => {
  const { asAcme, withKey, meeting } = await gateway(t)
  await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  const { call } = await withKey('acme', ['livestreams:stop'])
  t.equal((await call('POST', `/v2/meetings/${meeting}/active-livestream/stop`)).statusCode, 200)
})
