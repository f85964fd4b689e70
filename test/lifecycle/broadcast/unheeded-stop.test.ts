/** The vendor confirms a stop, and its run goes on. */
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { live } from '../../support/broadcast/live-run.ts'
import { until } from '../../support/until.ts'

// They wait, each for a vendor of its own.
t.jobs = 8

t.test('a run that cannot be stopped has one open stop of the gateway, however often it is read', async t => {
  const { asAcme, meeting, stop, stops, ignoreStop, simulator, events, logs } = await live(t, {
    config: { settleMs: 1_000 }
  })
  ignoreStop()
  t.equal((await stop()).statusCode, 200)
  const match = { path: '/meetings/*/active-livestream/stop' }
  simulator.fail({ match, status: 400, body: { success: false, error: { code: 400, message: 'not now' } } })
  await until(() => logs().includes('it is stopped again'))
  const before = stops()
  await until(async () => {
    await asAcme('GET', `/v2/meetings/${meeting}/active-livestream`)
    return stops() >= before + 3
  })
  t.equal((await events()).filter(({ status_detail }) => status_detail === 'still_live').length, 1)
})

t.test('a stop of the gateway that waits for a start ends no run that began meanwhile', async t => {
  const { asAcme, meeting, start, stop, stops, ignoreStop, isOn, simulator, events, logs, id } = await live(t, {
    config: { settleMs: 2_000, deadlineMs: 8_000 }
  })
  ignoreStop()
  t.equal((await stop()).statusCode, 200)
  simulator.failNext({ match: { method: 'GET', path: '/meetings/*/active-livestream' }, stall: true })
  const starting = start()
  await until(() => logs().includes('it is stopped again'))
  simulator.end(id)
  simulator.startFromBrowser(meeting)
  t.match((await starting).json().error, { outcome: 'not_sent' })
  t.equal((await asAcme('GET', `/v2/meetings/${meeting}/active-livestream`)).statusCode, 200)
  // So long a stop that was recorded would wait.
  await pause(1_500)
  t.ok(isOn())
  t.equal(stops(), 1)
  t.notOk(
    (await events()).some(({ status_detail }) => status_detail === 'still_live'),
    'nor is one recorded'
  )
})

t.test('a run is stopped again also where the stop was answered without a Date', async t => {
  const { stop, stops, ignoreStop, isOn } = await live(t, { config: { settleMs: 1_000 } })
  ignoreStop({ date: 'never' })
  t.equal((await stop()).statusCode, 200)
  await until(() => !isOn())
  t.equal(stops(), 2)
})

t.test('a run is stopped again also where the vendor does not show it at the first look', async t => {
  const { stop, stops, ignoreStop, isOn, simulator } = await live(t, { config: { settleMs: 1_000 } })
  ignoreStop()
  const [active, byId] = ['/meetings/*/active-livestream', '/livestreams/*']
  simulator.failNext({ match: { method: 'GET', path: active }, status: 404, body: {} })
  simulator.failNext({ match: { method: 'GET', path: byId }, status: 404, body: {} })
  t.equal((await stop()).statusCode, 200)
  await until(() => !isOn())
  t.equal(stops(), 2)
})
