import t from 'tap'
import { createSimulator } from '../../src/simulator/simulator.ts'
import { operationsIn } from '../../src/store/tables/operations.ts'
import { broadcastRunsIn } from '../../src/store/tables/runs/broadcast-runs.ts'
import { commandLine, runHere, startProcess } from '../support/cli.ts'
import { environmentOf } from '../support/config.ts'
import { addTenant } from '../support/gateway.ts'
import { liveShows, running } from '../support/orders/live-shows.ts'
import { openStoreHere } from '../support/store.ts'
import { until } from '../support/until.ts'

t.test('a gateway that is killed in the midst of 50 stops goes on with them when it is started again', async t => {
  const simulator = await createSimulator({ liveAfterMs: 0 })
  t.teardown(() => simulator.close())
  const { env, storeFile } = commandLine(t)
  const settings = { ...env, ...environmentOf(simulator), PORT: '0', LIVEGATE_UPSTREAM_BUDGET: '1000000/60' }
  const store = await openStoreHere(storeFile, { busyTimeoutMs: 10_000 })
  t.teardown(() => store.close())
  const shows: string[] = []
  for (const [tenant, count] of [
    ['acme', 20],
    ['globex', 20],
    ['initech', 10]
  ] as const) {
    await addTenant(store, tenant)
    shows.push(...(await liveShows(store, simulator, tenant, count)))
  }
  const serve = async () => {
    const child = startProcess(t, ['serve'], settings)
    await child.line(/livegate listens/)
    return child
  }
  const first = await serve()
  // So slow that it is killed while some are stopped, some are sent, and some are not.
  simulator.fail({ match: { path: '/meetings/*/active-livestream/stop' }, delayMs: 200 })
  const command = runHere(['livestream', 'stop', '--all', '--wait', '120'], settings)
  await until(() => running(simulator).length < 45)
  first.signal('SIGKILL')
  await first.ended
  const left = running(simulator).length
  t.ok(left > 0, `${left} go on`)
  await serve()
  t.match(await command, { code: 0, stdout: 'stopped 50 of 50\n' })
  t.strictSame(running(simulator), [])

  const stops = (await operationsIn(store).list({ limit: 1_000 })).filter(({ kind }) => kind === 'stop')
  t.strictSame(new Set(stops.map(({ meetingId }) => meetingId)), new Set(shows))
  t.equal(stops.length, 50, 'one stop for each, whichever process sent it')
  t.strictSame(new Set(stops.map(({ state, cause }) => `${state} ${cause}`)), new Set(['done operator']))
  t.strictSame(await broadcastRunsIn(store).open(), [], 'the ledger knows it')
  t.match(await runHere(['audit', 'verify'], settings), { code: 0 })
})
