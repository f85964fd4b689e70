/**
 * Bar B1. A normal run has 576 starts here and 432 in `ten-thousand-starts-killed.test.ts`; all 10,000 (5,760 and 4,320):
 * `LIVEGATE_STARTS=10000 npm test -- --disable-coverage test/guarantees/ten-thousand-starts*`.
 * A campaign prints its seed; `LIVEGATE_SEED=<seed>` makes the same choices again.
 */
import t from 'tap'
import { startGateway } from '../../src/gateway.ts'
import { makeLogger } from '../../src/logger.ts'
import { client, configFor } from '../support/gateway.ts'
import { answers, inSlots, openCampaign, type World } from './campaign.ts'
import { deadlineMs, mutationFault, settleMs } from './campaign-faults.ts'
import { seed, slowestMs, wanted } from './dice.ts'
import { inMemory } from './in-memory.ts'
import { runRounds } from './start-rounds.ts'

const meetingsInEach = 4
const rounds = Math.ceil(wanted('LIVEGATE_STARTS', 1_000) / 1_008)
const plenty = { calls: 1_000_000, seconds: 60, burst: 1_000_000 }
const settings = { deadlineMs, settleMs, readLimit: plenty, writeLimit: plenty }

t.setTimeout(rounds * slowestMs)
t.test(
  `${answers.length * meetingsInEach * rounds} starts with faults: none doubled, none lost, every answer true`,
  async t => {
    t.comment(`LIVEGATE_SEED=${seed}`)
    const campaign = await openCampaign(inMemory(t), meetingsInEach)
    const { simulator } = campaign.worlds[0] as World
    const { url, close } = await startGateway({
      config: { ...configFor(simulator, campaign.storeFile), ...settings },
      logger: makeLogger('silent'),
      upstreams: campaign.upstreams
    })
    t.teardown(close)
    const call = inSlots(client(url, campaign.authorization))
    await runRounds(campaign, { call, rounds, faults: 2, fault: mutationFault, spreadMs: 2_000 })
    t.strictSame(campaign.broken, [])
  }
)
