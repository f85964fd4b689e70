/** A cap holds through a crash: the gateway is a process of its own, and it is killed while it starts as many runs as it may. */
import t from 'tap'
import { presets } from '../../../src/domain/scope.ts'
import { createSimulator } from '../../../src/simulator/simulator.ts'
import { operationsIn } from '../../../src/store/tables/operations.ts'
import { broadcastRunsIn } from '../../../src/store/tables/runs/broadcast-runs.ts'
import { commandLine, startProcess } from '../../support/cli.ts'
import { environmentOf } from '../../support/config.ts'
import { addKey, addTenant, client } from '../../support/gateway.ts'
import { running } from '../../support/orders/live-shows.ts'
import { openStoreHere } from '../../support/store.ts'
import { until } from '../../support/until.ts'

const maxLive = 20

t.test(
  '200 starts at the same time, whose gateway is killed, and 200 more begin exactly as many runs as their tenant may have',
  async t => {
    const simulator = await createSimulator({ liveAfterMs: 0 })
    t.teardown(() => simulator.close())
    const { env, storeFile, run } = commandLine(t)
    const plenty = { LIVEGATE_UPSTREAM_BUDGET: '1000000/60', LIVEGATE_WRITE_LIMIT: '1000000/60' }
    const settings = { ...env, ...environmentOf(simulator), ...plenty, PORT: '0' }
    const store = await openStoreHere(storeFile, { busyTimeoutMs: 10_000 })
    t.teardown(() => store.close())
    const meetings = Array.from({ length: 200 }, () => simulator.addMeeting().id)
    await addTenant(store, 'acme', ...meetings)
    t.match(await run('tenant', 'update', 'acme', '--max-live', `${maxLive}`), { code: 0 })
    const { key } = await addKey(store, 'acme', presets.owner)
    const serve = async () => {
      const running = startProcess(t, ['serve'], settings)
      const [, url = ''] = await running.line(/"url":"([^"]+)".*livegate listens/)
      const call = client(url, `Bearer ${key}`)
      return { ...running, startAll: () => meetings.map(id => call('POST', `/v2/meetings/${id}/livestreams`, {})) }
    }

    const first = await serve()
    // The first of them are of unknown outcome: of half of them the vendor has begun the run, of the others it has not.
    const match = { method: 'POST', path: '/meetings/*/livestreams' }
    simulator.failNext(
      [
        { stall: true, afterWork: true, match },
        { stall: true, match }
      ],
      5
    )
    for (const start of first.startAll()) start.catch(() => {})
    const sent = () => simulator.journal.filter(({ method }) => method === 'POST').length
    await until(() => sent() >= 15)
    first.signal('SIGKILL')
    await first.ended
    const before = running(simulator).length
    t.ok(before > 0 && before < maxLive, `${before} go on`)

    const second = await serve()
    await Promise.all(second.startAll())
    // Nothing is stopped here: more than may be live at any time would still be.
    t.ok(running(simulator).length <= maxLive)
    const open = async () =>
      (await operationsIn(store).list({ limit: 1_000 })).filter(({ state }) => state === 'unknown')
    await until(async () => (await open()).length === 0)
    const replies = await Promise.all(second.startAll())

    t.equal(running(simulator).length, maxLive, 'no place is lost')
    const begun = simulator.livestreams().reduce((sum, { starts }) => sum + starts, 0)
    t.equal(begun, maxLive, 'nothing has begun twice')
    const refusals = replies.filter(({ statusCode }) => statusCode === 403)
    t.equal(refusals.length, meetings.length - maxLive)
    for (const { json } of refusals) t.match(json().error, { type: 'live_limit_reached', message: /20 of 20/ })
    const known = (await broadcastRunsIn(store).open()).map(({ meetingId }) => meetingId)
    t.strictSame(known.sort(), running(simulator), 'the ledger knows it')
    t.match(await run('audit', 'verify'), { code: 0 })
  }
)
