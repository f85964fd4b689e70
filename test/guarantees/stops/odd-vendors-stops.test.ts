/**
 * Habits that programs met at the real vendors, and a stop at any moment of a start with faults under each of it: 12 for each switch in a
 * normal run, 72 for each of its values in a campaign (`campaigns.ts`), and one under each combination in which every two values of two
 * switches meet.
 */
import t from 'tap'
import { inSlots } from '../../support/campaigns/campaign.ts'
import { deadlineMs } from '../../support/campaigns/campaign-faults.ts'
import { slowestMs } from '../../support/campaigns/dice.ts'
import { stopInAll } from '../../support/campaigns/odd-stops.ts'
import { openOdd, type Plan, pairs, planEach } from '../../support/campaigns/odd-vendors.ts'
import { client } from '../../support/gateway.ts'
import { printSeed } from '../../support/runner/seeds.ts'

const each = planEach('oddStops', 1)
const together = pairs.map((answers): Plan => ({ answers, meetings: 1, rounds: 1 }))
const plans = [...each, ...together]
const stops = plans.reduce((sum, { meetings }) => sum + meetings, 0)

t.setTimeout(slowestMs)
t.test(`${stops} stops at ${plans.length} odd vendors: nothing goes on, and every answer is true`, async t => {
  printSeed(t)
  const campaign = await openOdd(t, plans, deadlineMs)
  const call = client(campaign.gateway.url, campaign.authorization)
  await stopInAll(campaign, { start: inSlots(call), stop: call })
  t.strictSame(campaign.broken, [])
})
