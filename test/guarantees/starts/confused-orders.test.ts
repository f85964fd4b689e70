/**
 * Vendors with any habits that answer anything to the calls of one meeting: any status, any shape, in time or late, whether they do what
 * they were asked for or not. Another tenant goes on beside it. Other choices: `LIVEGATE_SEED=<seed>`.
 */
import t from 'tap'
import { anyVendors, goOnBeside, runOrder } from '../../support/campaigns/confused-orders.ts'
import { slowestMs } from '../../support/campaigns/dice.ts'
import { openOdd } from '../../support/campaigns/odd-vendors.ts'
import { countOf } from '../../support/runner/campaigns.ts'
import { printSeed } from '../../support/runner/seeds.ts'

/** Long enough for a busy machine: a call that is not confused is answered in time. */
const deadlineMs = 2_500
/** So many at a time, that a busy machine keeps up. */
const atOnce = 160

t.setTimeout(Math.ceil(countOf('orders') / atOnce) * slowestMs)
for (let from = 0; from < countOf('orders'); from += atOnce) {
  const count = Math.min(atOnce, countOf('orders') - from)
  t.test(`${count} orders at confused vendors: none starts twice, none runs on, nobody else is held back`, async t => {
    printSeed(t)
    t.setTimeout(slowestMs)
    const campaign = await openOdd(t, anyVendors(count, from), deadlineMs)
    const orders = campaign.worlds.map((world, i) => [
      runOrder(campaign, world, `order ${from + i}`, deadlineMs),
      goOnBeside(campaign, world, `order ${from + i}`)
    ])
    await Promise.all(orders.flat())
    t.strictSame(campaign.broken, [])
  })
}
