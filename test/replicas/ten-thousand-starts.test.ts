/** The campaign of `test/guarantees/starts/ten-thousand-starts-killed.test.ts` over three replicas, of which now and then one is killed. */
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { answers, inSlots, openCampaign } from '../support/campaigns/campaign.ts'
import { holdingFault } from '../support/campaigns/campaign-faults.ts'
import { Dice, slowestMs } from '../support/campaigns/dice.ts'
import { runRounds } from '../support/campaigns/start-rounds.ts'
import { inMemory } from '../support/in-memory.ts'
import { noPostgres, postgresBin } from '../support/postgres/server.ts'
import { usePostgres } from '../support/postgres/stores.ts'
import { environmentOfReplicas, keysOfReplicas, roundRobin, startReplica } from '../support/replicas/processes.ts'
import { countOf } from '../support/runner/campaigns.ts'
import { printSeed } from '../support/runner/seeds.ts'

const starts = countOf('replicaStarts')
const meetingsInEach = 1
const rounds = Math.ceil(starts / (answers.length * meetingsInEach))
const killsInARound = 2

if (postgresBin === null) t.test('starts of replicas that are killed', { skip: noPostgres }, t => t.end())
else {
  usePostgres()
  t.setTimeout(rounds * slowestMs)
  const name = `${answers.length * rounds} starts over three replicas that are killed: none doubled, none lost, every answer true`
  t.test(name, async t => {
    printSeed(t)
    const campaign = await openCampaign(inMemory(t), meetingsInEach)
    // Reads follow what another replica has done within a second, and a busy machine takes longer. A cached answer may be older still.
    const own = { ...(await environmentOfReplicas(campaign.storeFile)), LIVEGATE_READ_TTL_MS: '0' }
    const env = { ...campaign.env, ...own }
    await keysOfReplicas(campaign.storeFile)
    const serve = () => startReplica(t, env, 'test/support/campaigns/serve-campaign.ts')
    const replicas = await Promise.all([serve(), serve(), serve()])
    campaign.serving = Promise.resolve()
    const call = inSlots(roundRobin(() => replicas, campaign.authorization))
    const done = runRounds(campaign, {
      call,
      rounds,
      faults: 1,
      fault: holdingFault,
      spreadMs: 6_000,
      readsFollowMs: 3_000
    })

    const dice = new Dice('replicaKills')
    for (let kill = 1; kill <= killsInARound * rounds; kill++) {
      await pause(dice.between(2_000, 4_000))
      const victim = dice.between(0, replicas.length - 1)
      const { process } = replicas[victim] as (typeof replicas)[number]
      process.signal('SIGKILL')
      await process.ended
      replicas[victim] = await serve()
    }
    await done
    t.strictSame(campaign.broken, [])
  })
}
