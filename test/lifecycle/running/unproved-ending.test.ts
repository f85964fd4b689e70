import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { live } from '../../support/broadcast/live-run.ts'
import { until } from '../../support/until.ts'

/** An hour ago; each a second after the one before. */
const longAgo = (i: number, isOver: boolean) => {
  const beganAt = new Date(Date.now() - 3_600_000 + i * 1_000).toISOString()
  return {
    id: `00000000-0000-4000-8000-${String(i).padStart(12, '0')}`,
    invoked_time: beganAt,
    stopped_time: isOver ? beganAt : null
  }
}

const cases = [
  'lists a run when it is over',
  'says nothing of paging besides',
  'shows an old run without an end on the first page of two'
] as const

// They wait, each for a vendor of its own.
t.jobs = 8

for (const how of cases) {
  t.test(`a run that began after a heeded stop is not ended by the gateway, where the vendor ${how}`, async t => {
    const world = await live(t, { config: { settleMs: 1_000 } })
    const { asAcme, meeting, id, stop, stops, isOn, simulator, logs } = world
    t.equal((await stop()).statusCode, 200)
    t.notOk(isOn())
    const over = structuredClone(simulator.livestreams()[0]?.sessions ?? [])
    await pause(2_500)
    simulator.startFromBrowser(meeting)
    const isOld = how === cases[2]
    const sessions = isOld ? Array.from({ length: 10 }, (_, i) => longAgo(i, i !== 4)) : over
    const paging = { total_count: isOld ? 12 : sessions.length, start_offset: 1, end_offset: sessions.length }
    const data = { livestream: { id, status: 'LIVE', meeting_id: meeting }, sessions }
    const body = { success: true, data, ...(how !== cases[1] && { paging }) }
    simulator.fail({ match: { method: 'GET', path: `/livestreams/${id}` }, status: 200, body })
    t.equal((await asAcme('GET', `/v2/meetings/${meeting}/active-livestream`)).statusCode, 200)
    await until(() => logs().includes('nothing tells whether it is the same run'), 60_000)
    t.ok(isOn())
    t.equal(stops(), 1, 'nothing but the stop of the caller is sent')
  })
}

t.test("an ending is not proved where the vendor's clock was a minute fast when it confirmed the stop", async t => {
  const { asAcme, meeting, stop, stops, isOn, simulator } = await live(t, { config: { settleMs: 1_500 } })
  const read = () => asAcme('GET', `/v2/meetings/${meeting}/active-livestream`)
  const isRight = simulator.fail({ headers: { date: new Date(Date.now() + 60_000).toUTCString() } })
  for (let i = 0; i < 3; i++) await read()
  t.equal((await stop()).statusCode, 200)
  t.notOk(isOn())
  isRight()
  for (let i = 0; i < 4; i++) {
    await pause(800)
    await read()
  }
  simulator.startFromBrowser(meeting)
  t.equal((await read()).statusCode, 200)
  // Longer than the gateway's own look takes to come.
  await pause(6_000)
  t.ok(isOn())
  t.equal(stops(), 1)
})

t.test('a run that a start was answered with after a 409 is wanted, whatever was stopped before', async t => {
  const { id, start, stop, stops, isOn, ignoreStop, simulator } = await live(t, { config: { settleMs: 1_000 } })
  ignoreStop()
  t.equal((await stop()).statusCode, 200)
  const hidden = [
    { method: 'GET', path: '/meetings/*/active-livestream' },
    { method: 'GET', path: `/livestreams/${id}` }
  ]
  const shown = hidden.map(match => simulator.fail({ match, status: 404, body: {} }))
  const before = simulator.journal.length
  const looks = () =>
    simulator.journal.slice(before).filter(({ target }) => target.endsWith('/active-livestream')).length
  await until(() => looks() >= 2, 60_000)
  for (const show of shown) show()
  simulator.failNext({ match: hidden[0] ?? {}, status: 404, body: {} })
  t.equal((await start()).statusCode, 200)
  await pause(3_000)
  t.ok(isOn())
  t.equal(stops(), 1)
})
