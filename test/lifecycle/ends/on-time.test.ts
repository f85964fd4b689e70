import t from 'tap'
import { type LiveLimits, noLiveLimits } from '../../../src/domain/ends/live-limits.ts'
import { broadcastRunsIn } from '../../../src/store/tables/broadcast-runs.ts'
import { runEventsIn } from '../../../src/store/tables/run-events.ts'
import { tenantsIn } from '../../../src/store/tables/tenants.ts'
import { manualClock } from '../../support/clock.ts'
import { gateway, type TestContext, type World, type WorldOptions } from '../../support/gateway.ts'
import { until } from '../../support/until.ts'

/** A gateway whose clock moves when it is told to; acme has these limits. */
async function limited(t: TestContext, limits: Partial<LiveLimits> = {}, options: WorldOptions = {}) {
  const clock = manualClock()
  const world = await gateway(t, {
    clock,
    unmoved: true,
    ...options,
    before: async (store, simulator, folder) => {
      await tenantsIn(store).update('acme', { limits: { ...noLiveLimits, ...limits } }, 1_000)
      // The store is older than the runs: its upgrade is long ago.
      await store.engine.write([
        store.sql.updateTable('meta').set({ value: '1000' }).where('name', '=', 'limits_from').compile()
      ])
      await options.before?.(store, simulator, folder)
    }
  })
  const runs = broadcastRunsIn(world.store)
  const last = async () => (await runs.list('acme', { pageNo: 1, perPage: 1 })).runs[0]
  const told = async () =>
    (await runEventsIn(world.store).after(0, { limit: 100 })).map(({ type, reason }) => [type.slice(11), reason])
  const isLive = (): boolean => world.simulator.livestreams().some(({ status }) => status === 'LIVE')
  const start = (body = {}) => world.asAcme('POST', `/v2/meetings/${world.meeting}/livestreams`, body)
  const stops = async () =>
    (await world.events()).filter(
      ({ api, actor }) => api.operation === 'stopLivestream' && actor.user.type === 'Gateway'
    )
  return { ...world, clock, runs, last, told, isLive, start, stops }
}

/** Time goes on, and everybody has the time to see it. */
async function pass(clock: { advance(ms: number): void }, ms: number): Promise<void> {
  clock.advance(ms)
  await new Promise(resolve => setTimeout(resolve, 600))
}

t.test('a run ends by its duration, is warned of before, and its stop is on record with its cause', async t => {
  const { clock, start, last, told, isLive, stops, upstream } = await limited(t)
  t.equal((await start({ max_duration_seconds: 90 })).status, 201)
  t.match(await last(), { maxDurationSeconds: 90, endingBy: null })
  await pass(clock, 29_000)
  t.strictSame(await told(), [['starting', null]])
  await pass(clock, 1_000)
  await until(async () => (await told()).length > 1)
  await pass(clock, 59_000)
  t.ok(isLive(), 'not before its time')
  await pass(clock, 1_000)
  await until(async () => (await last())?.status === 'ended')
  t.match(await last(), { endedBy: 'max_duration', endingBy: 'max_duration' })
  t.notOk(isLive())
  t.strictSame(
    (await told()).filter(([type]) => type !== 'live'),
    [
      ['starting', null],
      ['ending_soon', 'max_duration'],
      ['ended', 'max_duration']
    ]
  )
  t.match(await stops(), [
    { status_detail: 'max_duration', unmapped: { outcome: 'pending' } },
    { status_detail: 'max_duration', unmapped: { outcome: 'done' } }
  ])
  t.equal(upstream().filter(call => call.includes('/active-livestream/stop')).length, 1)
})

export type { World }
