import t from 'tap'
import { limited } from '../../support/ends/limited.ts'
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
