import t from 'tap'
import { meetingsIn } from '../../../src/store/tables/meetings.ts'
import { broadcastRunsIn } from '../../../src/store/tables/runs/broadcast-runs.ts'
import { limited } from '../../support/ends/limited.ts'
import type { TestContext } from '../../support/gateway.ts'
import { until } from '../../support/until.ts'

t.jobs = 3

/** The vendor's stops of this meeting fail. */
function stopFails(meeting: string) {
  return { status: 500, match: { method: 'POST', path: `/meetings/${meeting}/active-livestream/stop` } }
}

t.test('a stop that comes late does not end the next show', async t => {
  const { simulator, meeting, start, look, last, pass, passUntil, stops, isLive, sentStops } = await limited(t)
  await start({ max_duration_seconds: 60 })
  await look()
  const clear = simulator.fail(stopFails(meeting))
  await pass(61_000)
  await until(() => sentStops() > 0)
  const { livestreamId } = (await last()) ?? {}
  simulator.end(String(livestreamId))
  simulator.startFromBrowser(meeting)
  const sent = sentStops()
  clear()
  await passUntil(async () => (await stops()).includes('max_duration done'))
  t.ok(isLive())
  t.ok(sentStops() <= sent + 1)
  t.match(await last(), { operationId: null, endedAtMs: null }, 'the next show is a run of its own')
  await pass(35_000)
  t.equal((await stops()).length, 2, 'it is not asked for again')
  t.ok(isLive())
})

t.test(
  'a stop is repeated until the vendor confirms it, and a start that joins meanwhile does not keep the run',
  async t => {
    const { simulator, meeting, start, look, last, pass, passUntil, stops, isLive, sentStops } = await limited(t)
    await start({ max_duration_seconds: 60 })
    await look()
    const clear = simulator.fail(stopFails(meeting))
    await pass(61_000)
    await until(() => sentStops() > 0)
    await start()
    clear()
    await passUntil(() => !isLive())
    await until(async () => (await last())?.status === 'ended')
    t.match(await last(), { endedBy: 'max_duration' })
    t.strictSame(await stops(), ['max_duration pending', 'max_duration done'])
  }
)

t.test('a tenant may stop its run while the gateway does', async t => {
  const { simulator, asAcme, meeting, start, look, last, pass, passUntil, isLive, stops } = await limited(t)
  await start({ max_duration_seconds: 60 })
  await look()
  const clear = simulator.fail(stopFails(meeting))
  await pass(61_000)
  await until(async () => (await stops()).length > 0)
  clear()
  t.equal((await asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)).statusCode, 200)
  t.notOk(isLive())
  await passUntil(async () => (await stops()).includes('max_duration done'))
  t.match(await last(), { status: 'ended' })
})

t.test('a run behind another livestream of its meeting is not called stopped, and ends when it is shown', async t => {
  const { simulator, meeting, start, look, last, pass, passUntil, stops, runEndOf } = await atTwo(t)
  await start({ max_duration_seconds: 60 })
  await look()
  const first = await last()
  const second = simulator.startFromBrowser(meeting)
  await look()
  await pass(61_000)
  await pass(35_000)
  t.strictSame(await stops(), ['max_duration pending'])
  t.strictSame(runEndOf(second.id), 'goes on')
  simulator.end(second.id)
  await passUntil(() => runEndOf(String(first?.livestreamId)) === 'is over')
  await passUntil(async () => (await stops()).includes('max_duration done'))
})

t.test('a run whose meeting was taken from its tenant is not asked for again and again', async t => {
  const { store, clock, meeting, start, look, last, pass, stops, isLive } = await limited(t)
  await start({ max_duration_seconds: 60 })
  await look()
  const run = await last()
  const meetings = meetingsIn(store)
  await meetings.release(meeting, clock.now())
  await meetings.assign('globex', 'default', [meeting], clock.now())
  await pass(61_000)
  await pass(31_000)
  await pass(31_000)
  t.strictSame(await stops(), ['max_duration pending', 'max_duration failed'])
  t.match(await broadcastRunsIn(store).get(String(run?.id)), { status: 'ended', endedBy: 'operator' })
  t.ok(isLive(), 'the show goes on for its new tenant')
})

/** A vendor that runs two livestreams of a meeting at once. */
async function atTwo(t: TestContext) {
  const world = await limited(t, {}, { simulator: { startWhileLive: 'second' } })
  const runEndOf = (id: string): string =>
    world.simulator.livestreams().some(one => one.id === id && one.status === 'LIVE') ? 'goes on' : 'is over'
  return { ...world, runEndOf }
}
