/** Bar B1, with `ten-thousand-starts-killed.test.ts`: all 10,000 in a campaign (`campaigns.ts`), a tenth in a normal run. */
import t from 'tap'
import { startGateway } from '../../../src/gateway.ts'
import { makeLogger } from '../../../src/log/logger.ts'
import { answers, inSlots, openCampaign, type World } from '../../support/campaigns/campaign.ts'
import { deadlineMs, mutationFault, settleMs } from '../../support/campaigns/campaign-faults.ts'
import { slowestMs } from '../../support/campaigns/dice.ts'
import { runRounds } from '../../support/campaigns/start-rounds.ts'
import { plenty } from '../../support/config.ts'
import { client, configFor } from '../../support/gateway.ts'
import { inMemory } from '../../support/in-memory.ts'
import { countOf } from '../../support/runner/campaigns.ts'
import { printSeed } from '../../support/runner/seeds.ts'
import { openStoreHere } from '../../support/store.ts'

const meetingsInEach = 4
const rounds = countOf('starts') / (answers.length * meetingsInEach)
const settings = { deadlineMs, settleMs, readLimit: plenty, writeLimit: plenty }

t.setTimeout(rounds * slowestMs)
t.test(
  `${answers.length * meetingsInEach * rounds} starts with faults: none doubled, none lost, every answer true`,
  async t => {
    printSeed(t)
    const campaign = await openCampaign(inMemory(t), meetingsInEach)
    const { simulator } = campaign.worlds[0] as World
    const { url, close } = await startGateway({
      config: { ...configFor(simulator, campaign.storeFile), ...settings },
      logger: makeLogger('silent'),
      upstreams: campaign.upstreams,
      open: openStoreHere
    })
    t.teardown(close)
    const call = inSlots(client(url, campaign.authorization))
    await runRounds(campaign, { call, rounds, faults: 2, fault: mutationFault, spreadMs: 2_000 })
    t.strictSame(campaign.broken, [])
  }
)
