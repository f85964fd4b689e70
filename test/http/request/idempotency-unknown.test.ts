import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { presets } from '../../../src/domain/scope.ts'
import type { Fault } from '../../../src/simulator/simulator.ts'
import { operationsIn } from '../../../src/store/tables/operations.ts'
import { gatewayBehindDoor } from '../../support/broadcast/door.ts'
import { says } from '../../support/campaigns/trouble.ts'
import { manualClock } from '../../support/clock.ts'
import { plenty } from '../../support/config.ts'
import { lockStore } from '../../support/faulty-store.ts'
import { gateway, type Reply } from '../../support/gateway.ts'
import { isEnvelope } from '../../support/http/helper.ts'
import { aRequest, isReplay, type MutatingRoute, vendorMutations } from '../../support/http/mutating.ts'
import { shortDeadlineMs } from '../../support/short-deadline.ts'
import { until } from '../../support/until.ts'

const clock = manualClock()
const world = await gatewayBehindDoor(t, {
  clock,
  simulator: { now: clock.now },
  config: { writeLimit: plenty }
})
const { asAcme, simulator, storeFile, withKey, directory, url, door } = world
const routes = vendorMutations(world)
const operations = operationsIn(world.store)
const routeOf = (id: string) => routes.find(({ operationId }) => operationId === id) as MutatingRoute
/** Sent again until it is confirmed. */
const isRepeated = ({ operationId }: MutatingRoute): boolean => /^(stop|enable|disable)Livestream$/.test(operationId)
/** Sent once, and looked for until it is found. */
const isLookedFor = ({ operationId }: MutatingRoute): boolean => /^(startLivestream|addParticipant)$/.test(operationId)
/** Nobody can be asked what became of it. */
const isFinal = (route: MutatingRoute): boolean => !isRepeated(route) && !isLookedFor(route)
const stopped = { success: true, data: { message: 'Stopped live stream successfully' } }
/** Settling goes on behind the answers, with growing pauses. */
const settlingMs = 60_000

/** Lets time pass until it is so: repetitions have pauses. */
const untilItIs = (holds: () => Promise<boolean>): Promise<void> =>
  until(async () => {
    clock.advance(250)
    await directory.pull()
    return holds()
  }, settlingMs)

const lost: [string, Fault][] = [
  ['500', { status: 500 }],
  ['408', { status: 408 }],
  ['a hang-up', { hangUp: true }],
  ['a hang-up after the work', { hangUp: true, afterWork: true }],
  ['no JSON', { garbage: true, afterWork: true }]
]

t.test('unknown is the last word where the vendor cannot be asked', async t => {
  for (const route of routes.filter(isFinal)) {
    for (const [what, fault] of lost) {
      const { vendor, call, sent } = await aRequest(world, route)
      simulator.failNext({ match: vendor, ...fault })
      const first = await call()
      t.match(says(first), /^502 .* unknown$/, `${route.operationId}, ${what}`)
      const again = await call()
      t.ok(isReplay(again), `${route.operationId}, ${what}`)
      t.equal(again.body, first.body)
      t.equal(sent(), 1)
    }
  }
})

t.test('a start whose answer was lost: 409 until it is settled, then what it came to', async t => {
  for (const [what, fault] of lost) {
    const { meeting, path, vendor, call, sent } = await aRequest(world, routeOf('startLivestream'))
    const look = { method: 'GET', path: `/meetings/${meeting}/active-livestream` }
    // The look before it goes well, and those after it fail until the vendor answers again.
    simulator.failNext([{ match: vendor, ...fault }, { match: look }])
    // The lists as well, which are asked instead.
    const recover = simulator.fail({ match: { method: 'GET' }, status: 500 })
    t.match(says(await call()), /^502 .* unknown$/, what)
    const early = await call()
    t.ok(isEnvelope(early, 409, 'idempotency_key_in_use'), what)
    t.match(early.headers['retry-after'], /^[1-9]\d*$/)
    recover()
    // Two looks have to show that nothing was done: those of a start without a key.
    for (const ms of fault.afterWork ? [] : [30_000, 5_000]) {
      clock.advance(ms)
      await directory.pull()
      await asAcme('POST', path)
    }
    await until(async () => (await call()).statusCode !== 409, settlingMs)

    const settled = await call()
    t.ok(isReplay(settled), what)
    const [livestream] = simulator.livestreams().filter(({ meeting_id }) => meeting_id === meeting)
    t.equal(livestream?.starts, 1)
    if (fault.afterWork) {
      t.equal(settled.statusCode, 201)
      t.match(settled.json(), { success: true, data: { id: livestream?.id, meeting_id: meeting } })
      t.notMatch(settled.body, /stream_key|ingest_server/)
      t.equal(sent(), 1)
    } else {
      t.equal(says(settled), '502 upstream_failed failed', what)
      t.equal(sent(), 2, 'the other one is the start without a key')
    }
    t.equal((await call()).body, settled.body)
  }
})

const isLive = (meeting: string): boolean =>
  simulator.livestreams().some(({ meeting_id, status }) => meeting_id === meeting && status !== 'IDLE')

t.test('a stop whose answer was lost: 409 until it may be tried again, and then 200', async t => {
  const requests = await Promise.all(
    lost.map(async ([what, fault]) => {
      const { meeting, vendor, call } = await aRequest(world, routeOf('stopLivestream'))
      simulator.failNext({ match: vendor, ...fault })
      const recover = simulator.fail({ match: vendor, status: 500 })
      t.match(says(await call()), /^502 .* unknown$/, what)
      t.ok(isEnvelope(await call(), 409, 'idempotency_key_in_use'), what)
      recover()
      return { what, meeting, call }
    })
  )
  for (const { what, meeting, call } of requests) {
    await untilItIs(async () => (await call()).statusCode !== 409)
    const settled = await call()
    t.ok(isReplay(settled), what)
    t.strictSame(settled.json(), stopped)
    t.notOk(isLive(meeting))
  }
})

t.test('a stop whose caller was told is still being watched: under its key the same answer, at once', async t => {
  const { meeting, vendor, call } = await aRequest(world, routeOf('stopLivestream'))
  door.hold(vendor.method)
  simulator.failNext({ match: vendor, status: 500 })
  const first = call()
  await until(() => door.held().length > 0)
  door.release()
  t.equal(says(await first), '502 upstream_failed unknown')
  // Nothing gets through any more: who waited for a look would wait for its deadline.
  door.hold()
  const [stop] = await operations.unconfirmedStops({ id: meeting, upstream: 'default' })
  const answer = { status: 200, body: { data: stopped.data } }
  await world.store.engine.write([operations.ended(stop?.id ?? '', { state: 'unknown', answer }, clock.now())])
  const again = await Promise.race([call(), sleep(10_000, null)])
  door.release()
  if (again === null) return t.fail('it waited for a look')
  t.ok(isReplay(again))
  t.strictSame(again.json(), stopped)
  await untilItIs(async () => (await operations.unconfirmedStops({ id: meeting, upstream: 'default' })).length === 0)
  t.notOk(isLive(meeting))
  t.equal((await call()).body, again.body)
})

t.test(
  'an enabling or disabling whose answer was lost: asked again under its key it is sent again, at once',
  async t => {
    for (const id of ['enableLivestream', 'disableLivestream']) {
      for (const [what, fault] of lost) {
        const { vendor, call, sent } = await aRequest(world, routeOf(id))
        simulator.failNext({ match: vendor, ...fault })
        const recover = simulator.fail({ match: vendor, status: 500 })
        t.match(says(await call()), /^502 .* unknown$/, `${id}, ${what}`)
        t.ok(isEnvelope(await call(), 409, 'idempotency_key_in_use'), `${id}, ${what}`)
        recover()
        const settled = await call()
        t.ok(isReplay(settled), `${id}, ${what}`)
        t.match(settled.json(), { success: true, data: { disabled: id === 'disableLivestream' } })
        t.notMatch(settled.body, /stream_key|ingest_server|org_id/)
        const before = sent()
        t.equal((await call()).body, settled.body)
        t.equal(sent(), before)
      }
    }
  }
)

t.test('a vendor that says nothing in time: 504, and under the key what it came to', async t => {
  const world = await gateway(t, { config: { deadlineMs: 5 * (await shortDeadlineMs(t)) } })
  await Promise.all(
    routes.map(async route => {
      const { vendor, call } = await aRequest(world, route)
      world.simulator.failNext({ match: vendor, stall: true, afterWork: true })
      const first = await call()
      t.equal(says(first), '504 upstream_too_late unknown', route.operationId)
      await until(async () => (await call()).statusCode !== 409, settlingMs)
      const settled = await call()
      t.ok(isReplay(settled), route.operationId)
      if (isFinal(route)) t.equal(settled.body, first.body)
      else t.equal(settled.statusCode, isLookedFor(route) ? 201 : 200)
    })
  )
  const { journal } = world.simulator
  const sent = journal.filter(({ method, target }) => method !== 'GET' && !/(stop|enable|disable)$/.test(target))
  t.equal(
    sent.length,
    routes.filter(route => !isRepeated(route)).length,
    'nothing but what is repeatable was sent again'
  )
})

t.test('a mutation that was done but not recorded in time is replayed under its key, once it is recorded', async t => {
  const asked = []
  for (const route of routes) asked.push({ name: route.operationId, ...(await aRequest(world, route)) })
  door.hold(...new Set(asked.map(({ vendor }) => vendor.method)))
  const firsts = asked.map(async ({ name, call }) => `${name} ${says(await call())}`)
  await until(() => door.held().length === asked.length)
  const unlock = lockStore(storeFile)
  door.release()
  const expected = asked.map(
    ({ name }) => `${name} ${name === 'stopLivestream' ? '200' : '503 audit_unavailable unknown'}`
  )
  t.strictSame(await Promise.all(firsts), expected)
  const early = await Promise.all(asked.map(({ call }) => call()))
  for (const [i, { name }] of asked.entries()) t.ok(isEnvelope(early[i] as Reply, 409, 'idempotency_key_in_use'), name)
  unlock()
  for (const { name, call } of asked) {
    await until(async () => (await call()).statusCode !== 409, settlingMs)
    const settled = await call()
    t.ok(settled.statusCode < 300 && isReplay(settled), name)
  }
  t.equal(asked[0]?.sent(), asked.length)
})

t.test('a caller that hangs up in the middle: its key is in use, and then has the answer', async t => {
  const { key } = await withKey('acme', presets.owner)
  for (const route of routes) {
    const { headers, path, call, sent } = await aRequest(world, route)
    door.hold(route.method)
    const hangUp = new AbortController()
    const asking = fetch(url + path, {
      method: route.method,
      headers: { ...headers, authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify(route.body),
      signal: hangUp.signal
    })
    const left = t.rejects(asking, { name: 'AbortError' })
    await until(() => door.held().length > 0)
    hangUp.abort()
    await left
    t.ok(isEnvelope(await call(), 409, 'idempotency_key_in_use'), route.operationId)
    door.release()
    await until(async () => (await call()).statusCode !== 409)
    const settled = await call()
    t.ok(settled.statusCode < 300 && isReplay(settled), route.operationId)
    t.equal(sent(), 1)
  }
})
