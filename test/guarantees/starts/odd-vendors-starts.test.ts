/**
 * Habits that programs met at the real vendors, and starts with faults under each of it: 100 for each switch in a normal run, 1,000 for
 * each of its values in a campaign (`campaigns.ts`), and a few under combinations in which every two values of two switches meet.
 */
import t from 'tap'
import { slowestMs } from '../../support/campaigns/dice.ts'
import { runOddRounds } from '../../support/campaigns/odd-starts.ts'
import { openOdd, type Plan, pairs, planEach } from '../../support/campaigns/odd-vendors.ts'
import { client } from '../../support/gateway.ts'
import { inFull } from '../../support/runner/campaigns.ts'
import { printSeed } from '../../support/runner/seeds.ts'

/** Longer than in other campaigns: a start may wait for a run that is ending, and be sent once more after a refusal. */
const deadlineMs = 2_500
const each = planEach('oddStarts', inFull ? 10 : 2)
const together = pairs.map((answers): Plan => ({ answers, meetings: 1, rounds: 2 }))
const plans = [...each, ...together]
const starts = plans.reduce((sum, { meetings, rounds }) => sum + meetings * rounds, 0)

t.setTimeout(Math.max(...plans.map(({ rounds }) => rounds)) * slowestMs)
t.test(`${starts} starts at ${plans.length} odd vendors: none doubled, none lost, every answer true`, async t => {
  printSeed(t)
  const campaign = await openOdd(t, plans, deadlineMs)
  const call = client(campaign.gateway.url, campaign.authorization)
  await runOddRounds(campaign, call, deadlineMs)
  t.strictSame(campaign.broken, [])
})
