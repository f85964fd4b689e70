/** A start with faults, and a stop at some moment of it: 1,008 of them in a campaign (`campaigns.ts`), 144 in a normal run. */
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { startGateway } from '../../../src/gateway.ts'
import { makeLogger } from '../../../src/log/logger.ts'
import {
  answers,
  inSlots,
  openCampaign,
  runningIn,
  startFromBrowser,
  type World
} from '../../support/campaigns/campaign.ts'
import { deadlineMs, settleMs } from '../../support/campaigns/campaign-faults.ts'
import { slowestMs } from '../../support/campaigns/dice.ts'
import { allSettled, answered } from '../../support/campaigns/start-rounds.ts'
import { stopDuringStart } from '../../support/campaigns/stop-moments.ts'
import { plenty } from '../../support/config.ts'
import { client, configFor } from '../../support/gateway.ts'
import { inMemory } from '../../support/in-memory.ts'
import { countOf } from '../../support/runner/campaigns.ts'
import { printSeed } from '../../support/runner/seeds.ts'
import { openStoreHere } from '../../support/store.ts'

const meetingsInEach = countOf('stops') / answers.length
const settings = { deadlineMs, settleMs, readLimit: plenty, writeLimit: plenty }

t.setTimeout(meetingsInEach * slowestMs)
t.test(`a stop at any of ${answers.length * meetingsInEach} moments of a start with faults`, async t => {
  printSeed(t)
  const campaign = await openCampaign(inMemory(t), meetingsInEach, 1_000)
  const { broken, operations, worlds } = campaign
  const { simulator } = worlds[0] as World
  const { url, close } = await startGateway({
    config: { ...configFor(simulator, campaign.storeFile), ...settings },
    logger: makeLogger('silent'),
    upstreams: campaign.upstreams,
    open: openStoreHere
  })
  t.teardown(close)
  const call = client(url, campaign.authorization)
  const clients = { start: inSlots(call), stop: call }
  const meetings = worlds.flatMap(world => world.meetings.map((meeting, i) => ({ world, meeting, i })))

  await t.test('leaves nothing live, and its answer is true', async t => {
    // One meeting of each world at a time: all at once would be too much for the machine, and measure that.
    for (let round = 0; round < meetingsInEach; round++) {
      const some = meetings.filter(({ i }) => i === round)
      const checks = await Promise.all(
        some.map(({ world, meeting, i }) => stopDuringStart(campaign, world, meeting, `${world.name}-${i}`, clients))
      )
      await allSettled(campaign)
      const rows = new Map((await operations.list({ limit: 1_000_000 })).map(row => [row.requestId, row.state]))
      for (const check of checks) await check(rows)
    }
    t.strictSame(broken.splice(0), [])
  })

  await t.test("a browser's run after it is seen, and can be stopped", async t => {
    await Promise.all(
      meetings.map(async ({ world, meeting, i }) => {
        world.simulator.clearFaults()
        await pause(i * 2_000)
        const path = `/v2/meetings/${meeting}/active-livestream`
        const id = startFromBrowser(world, meeting)
        // Every other one is stopped unseen.
        if (i % 2 === 0) {
          const active = await answered(campaign, [200], () => call('GET', path))
          if (active?.json().data.id !== id) broken.push(`${world.name}: ${id} runs, shown is ${active?.body}`)
        }
        // A caller that was not answered in time, and asks again, may hear that nothing is live.
        await answered(campaign, [200, 404], () => call('POST', `${path}/stop`))
        if (runningIn(world, meeting).length > 0) broken.push(`${world.name}: ${id} goes on`)
      })
    )
    t.strictSame(broken, [])
  })
})
