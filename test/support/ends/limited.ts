import type { LiveLimits } from '../../../src/domain/ends/live-limits.ts'
import { broadcastRunsIn } from '../../../src/store/tables/runs/broadcast-runs.ts'
import { runEventsIn } from '../../../src/store/tables/runs/run-events.ts'
import { tenantsIn } from '../../../src/store/tables/tenants.ts'
import { manualClock } from '../clock.ts'
import { gateway, type TestContext, type WorldOptions } from '../gateway.ts'

/** A gateway whose clock moves when it is told to, long after the upgrade that brought limits; acme has these. */
export async function limited(t: TestContext, limits: Partial<LiveLimits> = {}, options: WorldOptions = {}) {
  const clock = manualClock()
  const world = await gateway(t, {
    clock,
    unmoved: true,
    ...options,
    async before(store, simulator, folder) {
      await tenantsIn(store).update('acme', { limits }, 1_000)
      const upgrade = store.sql.updateTable('meta').set({ value: '1000' }).where('name', '=', 'limits_from')
      await store.engine.write([upgrade.compile()])
      await options.before?.(store, simulator, folder)
    }
  })
  const { store, simulator, asAcme, meeting, directory } = world
  const runs = broadcastRunsIn(store)

  /** Time goes on, and the loops and the directory have the time to see it. */
  async function pass(ms: number): Promise<void> {
    clock.advance(ms)
    await directory.pull()
    await new Promise(resolve => setTimeout(resolve, 1_100))
  }

  return {
    ...world,
    clock,
    /** The last run of acme. */
    last: async () => (await runs.list('acme', { pageNo: 1, perPage: 1 })).runs[0],
    /** Types and reasons of all events. */
    told: async () =>
      (await runEventsIn(store).after(0, { limit: 100 })).map(({ type, reason }) => `${type.slice(11)} ${reason}`),
    isLive: (of = meeting): boolean =>
      simulator.livestreams().some(({ status, meeting_id }) => meeting_id === of && status === 'LIVE'),
    start: (body: object = {}, of = meeting) => asAcme('POST', `/v2/meetings/${of}/livestreams`, body),
    look: (of = meeting) => asAcme('GET', `/v2/meetings/${of}/active-livestream`),
    pass,
    /** The same, a second at a time, until something holds: what waits for a pause gets it. */
    async passUntil(holds: () => boolean | Promise<boolean>) {
      for (let seconds = 0; !(await holds()); seconds++) {
        if (seconds === 60) throw new Error('it did not happen within 60 s')
        await pass(1_000)
      }
    },
    async limit(change: Partial<LiveLimits>) {
      await tenantsIn(store).update('acme', { limits: change }, clock.now())
      await directory.pull()
    },
    /** Events of stops that the gateway has ordered: their cause and outcome. */
    stops: async () =>
      (await world.events())
        .filter(({ api, actor }) => api.operation === 'stopLivestream' && actor.user.type === 'Gateway')
        .map(({ status_detail, unmapped }) => `${status_detail} ${unmapped.outcome}`),
    /** Stops that the vendor was sent. */
    sentStops: (): number => world.upstream().filter(call => call.includes('/active-livestream/stop')).length
  }
}
