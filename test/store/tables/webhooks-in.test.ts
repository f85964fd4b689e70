import { randomBytes, randomUUID } from 'node:crypto'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { noWebhooks, type WebhookCount, webhookCountsIn } from '../../../src/store/tables/webhooks-in/counts.ts'
import { takenWebhooksIn, type WebhookDelivery } from '../../../src/store/tables/webhooks-in/taken-webhooks.ts'
import { dayMs, manualClock, steps } from '../../support/clock.ts'
import { openStoreHere } from '../../support/store.ts'

const digest = (): string => randomBytes(32).toString('hex')
const about = { upstream: 'default', livestreamId: null, meetingId: null, sessionId: null }

function update(livestreamId: string, bodyDigest: string, deliveryId: string | null = randomUUID()): WebhookDelivery {
  return { ...about, event: 'livestreaming.statusUpdate', livestreamId, bodyDigest, deliveryId }
}

function ended(bodyDigest: string, deliveryId: string | null = randomUUID(), upstream = 'default'): WebhookDelivery {
  return { ...about, upstream, event: 'meeting.ended', meetingId: 'm1', sessionId: 's1', bodyDigest, deliveryId }
}

async function world(t: Test) {
  const store = await openStoreHere(join(t.testdir(), 'livegate.db'))
  t.teardown(() => store.close())
  const deliveries = takenWebhooksIn(store)
  const clock = manualClock()
  /** Whether it is news. */
  const take = async (delivery: WebhookDelivery): Promise<boolean> =>
    (await deliveries.take(delivery, clock.now(), 10_000)) !== null
  return { store, deliveries, clock, take }
}

t.test('a delivery is taken once by its id, whatever its body', async t => {
  const { take } = await world(t)
  const id = randomUUID()
  t.equal(await take(ended(digest(), id)), true)
  t.equal(await take(ended(digest(), id)), false)
  t.equal(await take(ended(digest(), id, 'other')), true, 'at another account the id is another')
  for (let i = 0; i < 2; i++) t.equal(await take(ended(digest(), null)), true, 'no id is no id')
})

t.test('a body is taken once for 7 days where each happening has a text of its own', async t => {
  const { take, clock, deliveries } = await world(t)
  const body = digest()
  t.equal(await take(ended(body)), true)
  clock.advance(7 * dayMs - 1)
  await deliveries.removeOld(clock.now() - 7 * dayMs, 100)
  t.equal(await take(ended(body)), false)
  t.equal(await take(ended(body, randomUUID(), 'other')), true)
  clock.advance(2)
  await deliveries.removeOld(clock.now() - 7 * dayMs, 100)
  t.equal(await take(ended(body)), true)
})

t.test('a livestream’s news in the words of before is news again after other news of it, or after a while', async t => {
  const { take, clock } = await world(t)
  const [live, idle, other] = [digest(), digest(), digest()]
  t.equal(await take(update('l1', live)), true)
  t.equal(await take(update('l1', live)), false, 'under another id')
  t.equal(await take(update('l2', other)), true)
  t.equal(await take(update('l1', live)), false, 'news of another livestream say nothing')
  t.equal(await take(update('l1', idle)), true)
  t.equal(await take(update('l1', live)), true, 'the next run')
  clock.advance(600_000)
  t.equal(await take(update('l1', live)), true, 'its end may have been lost')
})

t.test('a clock that is set makes news of a repetition at most, and hides nothing for long', async t => {
  for (const step of steps) {
    const { take, clock } = await world(t)
    const body = digest()
    t.equal(await take(update('l1', body)), true)
    clock.step(step)
    t.equal(await take(update('l1', body)), true)
    t.equal(await take(update('l1', body)), false)
  }
})

t.test('many at once: one of them is news', async t => {
  const { take } = await world(t)
  const body = digest()
  const taken = await Promise.all(Array.from({ length: 50 }, () => take(ended(body))))
  t.equal(taken.filter(Boolean).length, 1)
})

t.test('one that comes too late is not taken', async t => {
  const { deliveries, take, clock } = await world(t)
  const delivery = ended(digest())
  await t.rejects(deliveries.take(delivery, clock.now(), -1))
  t.equal(await take(delivery), true)
})

t.test('those that nobody has looked after are found again, in their order, unless they are old', async t => {
  const { deliveries, clock, take } = await world(t)
  await take(ended(digest()))
  clock.advance(3_600_001)
  const first = await deliveries.take(update('l1', digest()), clock.now(), 10_000)
  const second = await deliveries.take(ended(digest()), clock.now(), 10_000)
  const open = () => deliveries.open(clock.now() - 3_600_000, 10)
  t.strictSame(await open(), [
    { ...about, seq: first, event: 'livestreaming.statusUpdate', livestreamId: 'l1' },
    { ...about, seq: second, event: 'meeting.ended', meetingId: 'm1', sessionId: 's1' }
  ])
  t.equal((await deliveries.open(0, 1)).length, 1)
  await deliveries.noticed([first ?? 0], clock.now())
  t.match(await open(), [{ seq: second }])
})

t.test('old ones go in steps, and of too many the oldest', async t => {
  const { deliveries, store, clock } = await world(t)
  for (let i = 0; i < 5; i++) await deliveries.take(ended(digest()), clock.now(), 10_000)
  t.equal(await deliveries.removeOld(clock.now() + 1, 3), 3)
  t.equal(await deliveries.removeOld(clock.now() + 1, 3), 2)
  t.equal(await deliveries.removeOld(clock.now() + 1, 3), 0)
  for (let i = 0; i < 3; i++) await deliveries.take(ended(digest()), clock.now(), 10_000)
  const last = store.sql.updateTable('webhook_deliveries').set({ seq: 200_002 }).where('seq', '=', 3)
  await store.engine.write([last.compile()])
  t.equal(await deliveries.removeOld(0, 10), 2)
})

t.test('counts of several processes add up, and the last times stay', async t => {
  const { store } = await world(t)
  const counts = webhookCountsIn(store)
  t.equal((await counts.all()).size, 0)
  const refused = { ...noWebhooks, refused: 2, refusedAtMs: 5, refusedWebhookId: 'w1' }
  const first: [string, WebhookCount][] = [
    ['default', { ...noWebhooks, taken: 1, unknown: 4, takenAtMs: 3 }],
    ['rtk', refused]
  ]
  await counts.add(new Map(first))
  await counts.add(new Map([['default', { ...noWebhooks, taken: 2, repeated: 1 }]]))
  const all = await counts.all()
  t.strictSame(all.get('default'), { ...noWebhooks, taken: 3, repeated: 1, unknown: 4, takenAtMs: 3 })
  t.strictSame(all.get('rtk'), refused)
})
