import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import { createSimulator, type Simulator, type SimulatorOptions } from '../../../src/simulator/simulator.ts'
import { someAnswers } from '../../support/campaigns/campaign.ts'
import { manualClock } from '../../support/clock.ts'
import { plenty } from '../../support/config.ts'
import { gateway, type Reply } from '../../support/gateway.ts'
import { countOf } from '../../support/runner/campaigns.ts'

/** All that there are in a campaign (`campaigns.ts`). */
const worlds = someAnswers(countOf('worlds'))

/** How long a run is INVOKED, on the vendor's clock, which stands still unless it is moved. */
const liveAfterMs = 5_000
let vendorMs = Date.now()

/** The events of one world, for a comparison at one glance. */
type Story = Record<string, unknown>

const told: Story = {
  start: '201 INVOKED',
  'start while INVOKED': '200 INVOKED, the same',
  'active while INVOKED': '200 INVOKED, the same',
  'get while INVOKED': '200 INVOKED, the same',
  'lists while INVOKED': ['INVOKED, the same', 'INVOKED, the same'],
  'start after the lists': '200 INVOKED, the same',
  'active while LIVE': '200 LIVE, the same',
  'start while LIVE': '200 LIVE, the same',
  'lists while LIVE': ['LIVE, the same', 'LIVE, the same'],
  stop: '200',
  'running after the stop': 0,
  'stop again': '200',
  'active after the stop': '404',
  'get after the stop': '200 over, the same',
  'start anew': '201 INVOKED',
  'start anew, again': '200 INVOKED, the same',
  'stop while INVOKED': '200',
  'running in the end': 0,
  'active in the end': '404',
  'most at once': 1,
  runs: 2
}

t.test(
  `however the open questions about the vendor are answered, the main job works: ${worlds.length} worlds`,
  async t => {
    const clock = manualClock()
    const {
      asAcme,
      directory,
      simulator: first,
      meeting: old
    } = await gateway(t, {
      clock,
      config: { readLimit: plenty, writeLimit: plenty }
    })
    let simulator = first
    t.teardown(() => simulator.close())

    /** Another vendor at the same address: that costs less than another gateway. */
    async function become(world: SimulatorOptions): Promise<void> {
      const { port, org, key } = simulator
      await simulator.close()
      simulator = await createSimulator({ ...world, port, org, key, liveAfterMs, now: () => vendorMs })
      // The gateway must have seen that its connections to the last one are gone; an id of the old world is unknown in the new.
      for (let tries = 0; tries < 50; tries++) {
        await setImmediate()
        if ((await asAcme('GET', `/v2/meetings/${old}`)).statusCode === 404) return
      }
      throw new Error('the gateway did not find the next vendor')
    }

    for (const world of worlds) {
      await become(world)
      t.strictSame(await mainJob(), told, JSON.stringify(world))
    }

    async function mainJob(): Promise<Story> {
      const meeting = (await asAcme('POST', '/v2/meetings', { title: 'Friday show' })).json().data.id
      const path = `/v2/meetings/${meeting}`
      let id = ''
      const most = { atOnce: 0 }
      const seen = ({ id: shown, status }: { id: string; status: string }): string =>
        `${/IDLE|OFFLINE/.test(status) ? 'over' : status}, ${shown === id ? 'the same' : 'another'}`
      const start = async (): Promise<Reply> => {
        const reply = await asAcme('POST', `${path}/livestreams`, { name: 'friday-show' })
        most.atOnce = Math.max(most.atOnce, running(simulator))
        return reply
      }
      const startNew = async (): Promise<string> => {
        const reply = await start()
        id = reply.json().data?.id ?? ''
        return `${reply.statusCode} ${reply.json().data?.status}`
      }
      const stop = async (): Promise<string> => {
        clock.advance(1_000) // stops are spaced by so much, and this one shall not wait
        await directory.pull() // else the gateway would think that it hasn't read its store for so long
        return String((await asAcme('POST', `${path}/active-livestream/stop`)).statusCode)
      }
      const one = ({ statusCode, json }: Reply): string => {
        const { data } = json()
        return data === undefined ? String(statusCode) : `${statusCode} ${seen(data.livestream ?? data)}`
      }
      const afterwards = (look: () => Promise<string>): Promise<string> => {
        vendorMs += liveAfterMs
        return look()
      }
      const active = async (): Promise<string> => one(await asAcme('GET', `${path}/active-livestream`))
      const get = async (): Promise<string> => one(await asAcme('GET', `/v2/livestreams/${id}`))
      const lists = async (): Promise<string[]> => {
        const replies = [await asAcme('GET', '/v2/livestreams'), await asAcme('GET', `${path}/livestreams`)]
        return replies.map(reply =>
          seen(reply.json().data.find((item: { meeting_id: string }) => item.meeting_id === meeting))
        )
      }
      return {
        start: await startNew(),
        'start while INVOKED': one(await start()),
        'active while INVOKED': await active(),
        'get while INVOKED': await get(),
        'lists while INVOKED': await lists(),
        'start after the lists': one(await start()),
        'active while LIVE': await afterwards(active),
        'start while LIVE': one(await start()),
        'lists while LIVE': await lists(),
        stop: await stop(),
        'running after the stop': running(simulator),
        'stop again': await stop(),
        'active after the stop': await active(),
        'get after the stop': await get(),
        'start anew': await startNew(),
        'start anew, again': one(await start()),
        'stop while INVOKED': await stop(),
        'running in the end': running(simulator),
        'active in the end': await active(),
        'most at once': most.atOnce,
        runs: simulator.livestreams().reduce((sum, { starts }) => sum + starts, 0)
      }
    }
  }
)

/** Runs that go on at the vendor right now, whatever it says of them. */
function running(simulator: Simulator): number {
  return simulator
    .livestreams()
    .flatMap(({ sessions }) => sessions)
    .filter(({ stopped_time }) => stopped_time === null).length
}
