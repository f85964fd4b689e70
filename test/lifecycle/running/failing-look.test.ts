import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { gateway } from '../../support/gateway.ts'
import { until } from '../../support/until.ts'

// They wait, each for a vendor of its own.
t.jobs = 8

for (const nothingLive of ['500', 'null', 'empty'] as const) {
  t.test(`a vendor that answers ${nothingLive} when nothing is live can be started, read and stopped`, async t => {
    const { asAcme, meeting, simulator } = await gateway(t, { simulator: { nothingLive } })
    const active = () => asAcme('GET', `/v2/meetings/${meeting}/active-livestream`)
    const stop = () => asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)
    t.equal((await active()).statusCode, 404)
    t.equal((await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).statusCode, 201)
    t.equal((await active()).statusCode, 200)
    t.equal((await stop()).statusCode, 200)
    t.equal((await active()).statusCode, 404)
    t.equal((await stop()).statusCode, 200)
    t.equal(simulator.livestreams()[0]?.starts, 1)
  })
}

t.test('polls of idle meetings do not open the breaker of a vendor that fails when nothing is live', async t => {
  const { asAcme, asGlobex, meeting, otherMeeting, simulator } = await gateway(t, {
    simulator: { nothingLive: '500' },
    config: { readTtlMs: 1 }
  })
  const statuses = new Set<number>()
  for (let i = 0; i < 20; i++) {
    const [call, id] = i % 2 === 0 ? [asAcme, meeting] : [asGlobex, otherMeeting]
    statuses.add((await call('GET', `/v2/meetings/${id}/active-livestream`)).statusCode)
  }
  t.strictSame(statuses, new Set([404]))
  const failing = simulator.journal.filter(({ status }) => status === 500).length
  t.equal(failing, 3, 'after three such answers the lists are asked first')
  t.equal((await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).statusCode, 201)
})

t.test('meetings that are read together share one look at the lists', async t => {
  const { asAcme, asGlobex, meeting, otherMeeting, upstream } = await gateway(t, {
    simulator: { nothingLive: '500' },
    config: { readTtlMs: 5_000 }
  })
  for (const [call, id] of [
    [asAcme, meeting],
    [asGlobex, otherMeeting]
  ] as const) {
    t.equal((await call('GET', `/v2/meetings/${id}/active-livestream`)).statusCode, 404)
  }
  t.equal(upstream().filter(line => line.includes('/livestreams?')).length, 2, 'INVOKED and LIVE, once each')
})

t.test('a start asks twice, some seconds apart, until the vendor is known to refuse a second one', async t => {
  const { asAcme, meeting, simulator, upstream } = await gateway(t, {
    simulator: { nothingLive: '500' },
    config: { deadlineMs: 15_000 }
  })
  const start = () => asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  const lists = () => upstream().filter(line => line.includes('status=LIVE')).length
  t.equal((await start()).statusCode, 201)
  t.equal(lists(), 2)
  // A browser is faster than the next start, and the vendor refuses that: now it is known to.
  await asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)
  await pause(1_100) // the vendor's clock tells whole seconds
  const hidden = { match: { method: 'GET' }, status: 404, body: {} }
  // Also by its own id, for which the start asks after a stop.
  simulator.failNext([hidden, hidden])
  simulator.startFromBrowser(meeting)
  t.equal((await start()).statusCode, 200)
  await asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)
  const before = lists()
  t.equal((await start()).statusCode, 201)
  t.equal(lists() - before, 1)
})

t.test('nothing is sent when neither the meeting nor the lists can be asked', async t => {
  const { asAcme, meeting, simulator } = await gateway(t)
  const recover = simulator.fail({ match: { method: 'GET' }, status: 500 })
  const reply = await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  t.equal(reply.statusCode, 502)
  t.match(reply.json().error, { type: 'upstream_failed', outcome: 'not_sent' })
  recover()
  t.equal(simulator.livestreams().length, 0)
})

t.test('a run that the lists show is found and stopped, whatever active-livestream says', async t => {
  const { asAcme, meeting, simulator } = await gateway(t)
  simulator.fail({ match: { path: '/meetings/*/active-livestream', method: 'GET' }, status: 503 })
  const { id } = simulator.startFromBrowser(meeting)
  t.equal((await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).json().data.id, id)
  t.equal((await asAcme('GET', `/v2/meetings/${meeting}/active-livestream`)).json().data.id, id)
  t.equal((await asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)).statusCode, 200)
  t.equal((await asAcme('GET', `/v2/meetings/${meeting}/active-livestream`)).statusCode, 404)
})

t.test('an unknown start and an unknown stop are settled at such a vendor too', async t => {
  const { asAcme, meeting, simulator, store } = await gateway(t, {
    simulator: { nothingLive: '500' },
    config: { deadlineMs: 5_000 }
  })
  const open = store.sql.selectFrom('operations').select('id').where('state', '=', 'unknown')
  const isSettled = async () => (await store.engine.read(open.compile())).length === 0
  simulator.failNext({ match: { method: 'POST' }, hangUp: true })
  t.match((await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).json().error, { outcome: 'unknown' })
  await until(isSettled, 60_000)
  simulator.failNext({ match: { method: 'POST' }, hangUp: true })
  t.match((await asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)).json().error, { outcome: 'unknown' })
  await until(isSettled, 60_000)
  t.equal(simulator.livestreams().length, 0)
})

t.test('a start is sent though others have more livestreams than a list can be read of', async t => {
  const { asAcme, meeting, simulator } = await gateway(t, {
    simulator: { nothingLive: '500' },
    config: { deadlineMs: 15_000 }
  })
  // One that was never begun looks like one that begins.
  for (let i = 0; i < 2_001; i++) simulator.addLivestream()
  t.equal((await asAcme('GET', `/v2/meetings/${meeting}/active-livestream`)).statusCode, 404)
  const { id } = (await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).json().data
  const active = `/meetings/${meeting}/active-livestream`
  simulator.fail({ match: { method: 'GET', path: active }, status: 503 })
  t.equal((await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).json().data.id, id, 'nor is a second one')
  t.equal((await asAcme('POST', `/v2${active}/stop`)).statusCode, 200)
  t.equal((await asAcme('GET', `/v2${active}`)).statusCode, 404)
})

t.test('active-livestream tells where the lists are asked first and fail', async t => {
  const { asAcme, asGlobex, meeting, otherMeeting, simulator } = await gateway(t, { config: { readTtlMs: 1 } })
  const path = `/meetings/${otherMeeting}/active-livestream`
  const odd = simulator.fail({ match: { method: 'GET', path }, status: 500 })
  for (let i = 0; i < 3; i++) t.equal((await asGlobex('GET', `/v2${path}`)).statusCode, 404)
  odd()
  simulator.fail({ match: { method: 'GET', path: '/livestreams' }, status: 500 })
  t.equal((await asAcme('GET', `/v2/meetings/${meeting}/active-livestream`)).statusCode, 404)
  t.equal((await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).statusCode, 201)
  t.equal((await asAcme('GET', `/v2/meetings/${meeting}/active-livestream`)).statusCode, 200)
})

t.test('a meeting for which the vendor fails makes the starts of no other one slower', async t => {
  const { asAcme, asGlobex, meeting, otherMeeting, simulator, upstream } = await gateway(t, {
    config: { readTtlMs: 1 }
  })
  const active = (id: string) => `/v2/meetings/${id}/active-livestream`
  t.equal((await asGlobex('GET', active(otherMeeting))).statusCode, 404)
  const body = { success: false, message: 'this meeting is inactive' }
  simulator.fail({ match: { method: 'GET', path: `/meetings/${meeting}/active-livestream` }, status: 400, body })
  for (let i = 0; i < 5; i++) t.equal((await asAcme('GET', active(meeting))).statusCode, 404)
  const before = upstream().length
  t.equal((await asGlobex('POST', `/v2/meetings/${otherMeeting}/livestreams`)).statusCode, 201)
  t.strictSame(upstream().slice(before), [
    `GET ${active(otherMeeting)}`,
    `POST /v2/meetings/${otherMeeting}/livestreams`
  ])
})
