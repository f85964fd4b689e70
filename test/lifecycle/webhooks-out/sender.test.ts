import { createHmac } from 'node:crypto'
import t from 'tap'
import { dayMs, hourMs } from '../../support/clock.ts'
import { until } from '../../support/until.ts'
import { drops, hangs, receiver, says, told, verified } from '../../support/webhooks/receiver.ts'
import { allHappened, happened, webhookWorld } from '../../support/webhooks/world.ts'

const five = ['starting', 'live', 'ending_soon', 'ended', 'errored']
const inOrder = (meeting: string): string[] => five.map(type => `${meeting} ${type}`)

t.test('a webhook is told of each event once it is set, signed, and of none of before', async t => {
  const { store, set, newSender, hub, rows, webhook, clock } = await webhookWorld(t)
  const { url, received } = await receiver(t)
  await happened(store, 'm0', 'livestream.ended')
  const secret = await set(url)
  const sender = newSender()
  sender.start()
  await happened(store, 'm1', 'livestream.live', { atMs: 1_795_345_200_000 })
  await happened(store, 'm2', 'livestream.live', { tenantId: 'globex' })
  hub.committed([{ run: { tenantId: 'acme' } as never, events: [{} as never] }])
  await until(() => received.length === 1)
  const [message] = received
  t.strictSame(message && verified(secret, message), {
    type: 'livestream.live',
    timestamp: '2026-11-22T11:00:00.000Z',
    data: {
      type: 'livestream.live',
      run_id: 'run-acme-m1',
      meeting_id: 'm1',
      livestream_id: 'ls-m1',
      status: 'live',
      playback_url: null,
      reason: null,
      at: '2026-11-22T11:00:00.000Z'
    }
  })
  t.match(message?.headers, { 'content-type': 'application/json', 'webhook-id': 'evt_run-acme-m1_live' })
  // Without the library, as the specification has it.
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64')
  const signed = `${message?.headers['webhook-id']}.${message?.headers['webhook-timestamp']}.${message?.body}`
  t.equal(message?.headers['webhook-signature'], `v1,${createHmac('sha256', key).update(signed).digest('base64')}`)
  await until(async () => (await rows()).length === 0)
  t.match(await webhook(), { last: { status: 204, error: null, atMs: clock.now() }, failingSinceMs: null })
})

t.test(
  'an event that failed is tried again after growing pauses, with the same id and body, until it is delivered',
  async t => {
    const { store, set, newSender, rows, clock } = await webhookWorld(t)
    const one = await receiver(t, (reply, number) => says(number % 6 === 0 ? 200 : 503)(reply, number, {} as never))
    await set(one.url)
    const sender = newSender()
    sender.start()
    await allHappened(store, 'm1')
    for (let event = 0; event < five.length; event++) {
      for (const [i, pauseMs] of [0, 5_000, 25_000, 125_000, 625_000, 3_125_000].entries()) {
        const number = event * 6 + i
        if (pauseMs > 0) {
          await until(async () => (await rows())[0]?.owner === null)
          clock.advance(pauseMs - 1)
          sender.wake()
          t.match(await rows(), [{ attempts: i, next_at: clock.now() + 1 }])
          t.equal(one.received.length, number, 'not before its time')
          clock.advance(1)
        }
        sender.wake()
        // The next event goes out as soon as this one is there.
        await until(() => one.received.length > number)
      }
    }
    await until(async () => (await rows()).length === 0)
    const ids = one.received.map(({ headers }) => headers['webhook-id'])
    t.strictSame(
      [...new Set(ids)].map(id => String(id).replace(/_\d+$/, '')),
      five.map(type => `evt_run-acme-m1_${type}`),
      'in order, each until it is there'
    )
    t.equal(new Set(one.received.map(({ body }) => body)).size, five.length)
    t.equal(one.received.length, 30)
  }
)

t.test('a second warning, before another end, is an event of its own to the receiver', async t => {
  const { store, set, newSender } = await webhookWorld(t)
  const { url, received } = await receiver(t)
  await set(url)
  for (const atMs of [1_000, 200_000]) await happened(store, 'm1', 'livestream.ending_soon', { atMs })
  newSender().start()
  await until(() => received.length === 2)
  t.equal(new Set(received.map(({ headers }) => headers['webhook-id'])).size, 2)
})

t.test('events of one meeting wait for each other, and for no other meeting', async t => {
  const { store, set, newSender, clock, rows } = await webhookWorld(t)
  let isShut = true
  const one = await receiver(t, (reply, number, request) => {
    const { body } = one.received[number - 1] ?? { body: '' }
    return (isShut && body.includes('"m1"') ? drops : says(200))(reply, number, request)
  })
  const secret = await set(one.url)
  const sender = newSender()
  sender.start()
  await allHappened(store, 'm1')
  await allHappened(store, 'm2')
  sender.wake()
  const of = (meeting: string) => told(secret, one.received).filter(text => text.startsWith(meeting))
  await until(() => of('m2').length === 5)
  await until(async () => (await rows())[0]?.attempts === 1)
  t.strictSame(of('m2'), inOrder('m2'))
  t.strictSame(of('m1'), ['m1 starting'])
  isShut = false
  clock.advance(5_000)
  sender.wake()
  await until(() => of('m1').length === 6)
  t.strictSame(of('m1'), ['m1 starting', ...inOrder('m1')])
})

t.test('a tenant whose receiver hangs holds up no other tenant, and has four attempts at a time', async t => {
  const { store, set, newSender } = await webhookWorld(t)
  const hanging = await receiver(t, hangs)
  const healthy = await receiver(t)
  await set(hanging.url)
  const secret = await set(healthy.url, { tenantId: 'globex' })
  for (let i = 0; i < 10; i++) await happened(store, `m${i}`, 'livestream.live')
  await happened(store, 'm1', 'livestream.live', { tenantId: 'globex' })
  const sender = newSender()
  sender.start()
  await until(() => healthy.received.length === 1 && hanging.received.length === 4)
  t.strictSame(told(secret, healthy.received), ['m1 live'])
  await happened(store, 'm2', 'livestream.live', { tenantId: 'globex' })
  sender.wake()
  await until(() => healthy.received.length === 2)
  t.equal(hanging.received.length, 4)
})

t.test('a free place goes to the tenant with the fewest attempts, however much others have waiting', async t => {
  const { store, set, newSender } = await webhookWorld(t)
  const hanging = await receiver(t)
  const held: (() => void)[] = []
  hanging.behaviour = (...how) => void held.push(() => says(500)(...how))
  const healthy = await receiver(t)
  let answer = (): void => {}
  healthy.behaviour = (...how) => {
    answer = () => says(204)(...how)
  }
  await set(hanging.url)
  await set(healthy.url, { tenantId: 'globex' })
  for (let i = 0; i < 10; i++) await happened(store, `m${i}`, 'livestream.live')
  const sender = newSender({ mostAtOnce: 4 })
  sender.start()
  await until(() => held.length === 4)
  await happened(store, 'm1', 'livestream.live', { tenantId: 'globex' })
  sender.wake()
  held[0]?.()
  await until(() => healthy.received.length === 1)
  t.equal(held.length, 4, 'before the next of those that have waited for longer')
  answer()
  await until(() => held.length === 5)
})

t.test('another process goes on where one has ended or crashed, and two at once send nothing twice', async t => {
  const { store, set, newSender, clock, rows } = await webhookWorld(t)
  const one = await receiver(t, hangs)
  const secret = await set(one.url)
  await allHappened(store, 'm1')
  const first = newSender()
  first.start()
  await until(() => one.received.length === 1)
  await first.close()
  t.match(await rows(), [{ owner: null, attempts: 0 }, {}, {}, {}, {}], 'it has let go, and counts no failure')

  const crashed = newSender()
  crashed.start()
  await until(() => one.received.length === 2)
  one.behaviour = says(200)
  const next = newSender()
  const other = newSender()
  next.start()
  other.start()
  t.not((await rows())[0]?.owner, null, 'the lease of the crashed one goes on')
  clock.advance(30_001)
  next.wake()
  other.wake()
  await until(async () => (await rows()).length === 0)
  t.strictSame(told(secret, one.received).slice(2), inOrder('m1'), 'each once more at most, in order')
})

t.test('an event that nobody has taken for a day is given up, and the next one is tried', async t => {
  const { store, set, newSender, clock, rows, webhook, logged } = await webhookWorld(t)
  const one = await receiver(t, says(500))
  await set(one.url)
  const sender = newSender()
  sender.start()
  await happened(store, 'm1', 'livestream.live')
  sender.wake()
  await until(async () => (await rows())[0]?.attempts === 1)
  clock.advance(23 * hourMs)
  await happened(store, 'm1', 'livestream.ended')
  sender.wake()
  await until(async () => (await rows())[0]?.attempts === 2 && (await rows()).length === 2)
  clock.advance(hourMs)
  one.behaviour = (reply, number, request) => {
    const isOld = one.received[number - 1]?.body.includes('livestream.live') === true
    says(isOld ? 500 : 200)(reply, number, request)
  }
  sender.wake()
  await until(async () => (await rows()).length === 0)
  t.match(await webhook(), { givenUp: 1, disabledAtMs: null, failingSinceMs: null })
  t.strictSame(logged, ['an event was not delivered within a day: it is given up'])
})

t.test(
  'a webhook that has failed for three days is disabled, which the audit log says, until it is set again',
  async t => {
    const { store, set, newSender, clock, rows, webhook, audited, logged } = await webhookWorld(t)
    const one = await receiver(t, says(500))
    await set(one.url)
    const sender = newSender()
    sender.start()
    let days = 0
    const failOnce = async (meeting: string): Promise<void> => {
      await happened(store, meeting, 'livestream.live')
      const before = one.received.length
      sender.wake()
      await until(() => one.received.length > before)
      await until(async () => (await rows()).every(({ owner }) => owner === null))
    }
    await failOnce('d0')
    for (; days < 5; days++) {
      clock.advance(dayMs / 2)
      await failOnce(`d${days + 1}`)
    }
    t.match(await webhook(), { disabledAtMs: null })
    clock.advance(dayMs / 2)
    await failOnce('last')
    await until(async () => (await webhook()).disabledAtMs !== null)
    t.strictSame(await rows(), [], 'what waited is dropped')
    t.match(await audited(), [
      {
        api: { operation: 'disableWebhook' },
        status_detail: 'failing_for_days',
        actor: { user: { type: 'Gateway', uid: 'webhooks' } },
        resources: [{ type: 'webhook', uid: `127.0.0.1:${one.port}` }],
        unmapped: { tenant_id: 'acme', outcome: 'done' }
      }
    ])
    t.equal(logged.at(-1), 'a webhook is disabled: nothing was delivered for three days')

    const later = () =>
      one.received.map(({ body }) => JSON.parse(body).data.meeting_id).filter(id => ['m8', 'm9'].includes(id))
    await happened(store, 'm8', 'livestream.live')
    sender.wake()
    one.behaviour = says(200)
    t.equal(await set(one.url), '', 'the secret stays')
    t.match(await webhook(), { disabledAtMs: null, failingSinceMs: null })
    await happened(store, 'm9', 'livestream.live')
    sender.wake()
    await until(() => later().length > 0)
    await until(async () => (await rows()).length === 0)
    t.strictSame(later(), ['m9'], 'it is told of events from then on')
  }
)

t.test(
  'a clock that is set forward gives nothing up and disables nothing; one that is set back holds nothing up',
  async t => {
    const { store, set, newSender, clock, rows, webhook } = await webhookWorld(t)
    const one = await receiver(t, says(500))
    await set(one.url)
    const sender = newSender()
    sender.start()
    await happened(store, 'm1', 'livestream.live')
    sender.wake()
    await until(async () => (await rows())[0]?.attempts === 1)
    clock.step(4 * dayMs)
    sender.wake()
    await until(async () => (await rows())[0]?.attempts === 2)
    t.match(await webhook(), { disabledAtMs: null, givenUp: 0 })
    clock.step(-4 * dayMs)
    one.behaviour = says(200)
    sender.wake()
    await until(async () => (await rows()).length === 0)
  }
)

t.test('two failures far apart are no days of failure', async t => {
  const { store, set, newSender, clock, rows, webhook } = await webhookWorld(t)
  const one = await receiver(t, says(500))
  await set(one.url)
  const sender = newSender()
  sender.start()
  await happened(store, 'm1', 'livestream.live')
  sender.wake()
  await until(async () => (await rows())[0]?.attempts === 1)
  clock.advance(4 * dayMs)
  sender.wake()
  await until(async () => (await rows()).length === 0)
  t.match(await webhook(), { disabledAtMs: null, givenUp: 1, failingSinceMs: clock.now() })
})

t.test('after a new secret both sign for a day, then the new one alone', async t => {
  const { store, set, newSender, clock, webhook } = await webhookWorld(t)
  const one = await receiver(t)
  const old = await set(one.url)
  const fresh = await set(one.url, { rotateSecret: true })
  t.not(fresh, old)
  const sender = newSender()
  sender.start()
  await happened(store, 'm1', 'livestream.live')
  sender.wake()
  await until(() => one.received.length === 1)
  for (const secret of [old, fresh]) t.strictSame(told(secret, one.received), ['m1 live'])
  t.throws(() => told(`whsec_${Buffer.alloc(32).toString('base64')}`, one.received), {
    name: 'WebhookVerificationError'
  })

  await until(async () => (await webhook()).last !== null)
  t.type((await webhook()).previousSecret, 'string')
  clock.advance(dayMs)
  await happened(store, 'm2', 'livestream.live')
  sender.wake()
  await until(() => one.received.length === 2)
  t.notMatch(one.received[1]?.headers['webhook-signature'], ' ')
  await until(async () => (await webhook()).previousSecret === null)
})

t.test('a secret that was sealed with a lost key signs nothing: a new one is needed', async t => {
  const { store, set, newSender, webhook, rows } = await webhookWorld(t)
  const one = await receiver(t)
  await set(one.url)
  const lost = store.sql.updateTable('tenant_webhooks').set({ secret: 'AAAA' })
  await store.engine.write([lost.compile()])
  const sender = newSender()
  sender.start()
  await happened(store, 'm1', 'livestream.live')
  sender.wake()
  await until(async () => (await rows())[0]?.attempts === 1)
  t.match(await webhook(), { last: { error: 'secret_lost', status: null } })
  const secret = await set(one.url, { rotateSecret: true })
  t.match(await webhook(), { previousSecret: null, previousUntilMs: null })
  sender.wake()
  await until(() => one.received.length === 1)
  t.strictSame(told(secret, one.received), ['m1 live'], 'and what waits goes out at once')
})

t.test('a webhook that is removed or moved while something is under way', async t => {
  const { store, set, newSender, webhooks, webhook, rows, logged } = await webhookWorld(t)
  const one = await receiver(t, hangs)
  await set(one.url)
  const sender = newSender()
  sender.start()
  await allHappened(store, 'm1')
  sender.wake()
  await until(() => one.received.length === 1)
  await store.engine.write(webhooks.removed(await webhook()))
  t.strictSame(await rows(), [])
  const other = await receiver(t)
  const secret = await set(other.url)
  await happened(store, 'm2', 'livestream.live')
  sender.wake()
  await until(() => other.received.length === 1)
  t.strictSame(told(secret, other.received), ['m2 live'])
  t.strictSame(logged, [])
})

t.test('a store that fails is told of, and nothing is lost by it', async t => {
  const { store, set, newSender, rows, clock, logged, deps } = await webhookWorld(t)
  const one = await receiver(t)
  const secret = await set(one.url)
  let isBroken = true
  const sender = newSender({
    engine: { write: (...how) => (isBroken ? Promise.reject(new Error('disk full')) : deps.engine.write(...how)) }
  })
  sender.start()
  await happened(store, 'm1', 'livestream.live')
  sender.wake()
  await until(() => logged.length === 1)
  t.equal(logged[0], 'events cannot be delivered to webhooks: tried again')
  isBroken = false
  one.behaviour = (reply, number, request) => {
    isBroken = number === 1
    says(200)(reply, number, request)
  }
  sender.wake()
  await until(() => logged.includes('the result of a delivery could not be kept'))
  isBroken = false
  t.equal((await rows()).length, 1)
  clock.advance(30_001)
  sender.wake()
  await until(async () => (await rows()).length === 0)
  t.strictSame(told(secret, one.received.slice(0, 1)), ['m1 live'])
  t.equal(new Set(one.received.map(({ headers }) => headers['webhook-id'])).size, 1, 'again, under its id')
})

t.test('more events than fit into a step are all queued', async t => {
  const { store, set, newSender, rows } = await webhookWorld(t)
  const one = await receiver(t, hangs)
  await set(one.url)
  for (let i = 0; i < 201; i++) await happened(store, `m${i}`, 'livestream.live')
  const sender = newSender()
  sender.start()
  await until(async () => (await rows()).length === 201)
  t.strictSame(
    (await rows()).map(({ seq }) => seq),
    Array.from({ length: 201 }, (_, i) => i + 1)
  )
})

t.test('a webhook that is set while an attempt fails is tried at once, and has failed at nothing', async t => {
  const { store, set, newSender, webhook, rows, clock } = await webhookWorld(t)
  let isHeld = false
  let answer = (): void => {}
  const old = await receiver(t, (reply, number, request) => {
    const refuse = () => says(500)(reply, number, request)
    if (isHeld) answer = refuse
    else refuse()
  })
  const fresh = await receiver(t)
  const secret = await set(old.url)
  const sender = newSender()
  sender.start()
  await happened(store, 'm1', 'livestream.live')
  sender.wake()
  await until(async () => (await rows())[0]?.attempts === 1)
  isHeld = true
  clock.advance(5_000)
  sender.wake()
  await until(() => old.received.length === 2)
  await set(fresh.url)
  answer()
  await until(() => fresh.received.length === 1)
  t.strictSame(told(secret, fresh.received), ['m1 live'])
  await until(async () => (await rows()).length === 0)
  t.match(await webhook(), { failingSinceMs: null, failedAtMs: null, last: { status: 204 } })
})

t.test('an attempt that arrives while the webhook is set is a delivery, and is not sent again', async t => {
  const { store, set, newSender, webhook, rows } = await webhookWorld(t)
  let answer = (): void => {}
  const old = await receiver(t, (reply, number, request) => {
    answer = () => says(204)(reply, number, request)
  })
  const fresh = await receiver(t)
  await set(old.url)
  const sender = newSender()
  sender.start()
  await happened(store, 'm1', 'livestream.live')
  sender.wake()
  await until(() => old.received.length === 1)
  await set(fresh.url)
  answer()
  await until(async () => (await rows()).length === 0)
  t.equal(fresh.received.length, 0)
  t.match(await webhook(), { last: null })
})
