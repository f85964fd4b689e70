import { setTimeout as pause } from 'node:timers/promises'
import { gateway, type TestContext, type WorldOptions } from '../gateway.ts'

/** A gateway with a meeting that is live for more than a second, so that the vendor's clock tells its run from one after the stop. */
export async function live(t: TestContext, options: WorldOptions) {
  const world = await gateway(t, options)
  const { asAcme, meeting, simulator } = world
  const start = (headers = {}) => asAcme('POST', `/v2/meetings/${meeting}/livestreams`, undefined, headers)
  const stop = () => asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)
  const { id } = (await start()).json().data
  await pause(1_100)
  const isOn = () => simulator.livestreams().some(({ sessions }) => sessions.some(run => run.stopped_time === null))
  const sent = (path: string) =>
    simulator.journal.filter(({ method, target }) => method === 'POST' && target.endsWith(path))
  return {
    ...world,
    id,
    start,
    stop,
    isOn,
    /** The vendor confirms the next stop, and does nothing. */
    ignoreStop: (headers: Record<string, string> = {}) =>
      simulator.failNext({
        match: { path: '/meetings/*/active-livestream/stop' },
        status: 200,
        headers,
        body: { success: true, data: { message: 'Stopped live stream successfully' } }
      }),
    starts: () => sent('/livestreams').length,
    stops: () => sent('/stop').length
  }
}
