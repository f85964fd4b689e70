import t, { type Test } from 'tap'
import { systemClock } from '../../../src/domain/values/clock.ts'
import { createSimulator, type SimulatorOptions } from '../../../src/simulator/simulator.ts'
import { openUpstream } from '../../../src/upstream/account/open-upstream.ts'
import { accountOf, realtimekitAccountOf } from '../../support/account.ts'
import { failureOf } from '../../support/upstream/vendor.ts'

const soon = (): AbortSignal => AbortSignal.timeout(60_000)
const wish = {
  name: 'livegate',
  url: 'https://livegate.example/webhooks/default',
  events: ['meeting.ended'],
  enabled: true
}

async function opened(t: Test, options: SimulatorOptions) {
  const simulator = await createSimulator(options)
  t.teardown(() => simulator.close())
  const account = options.vendor === 'realtimekit' ? realtimekitAccountOf(simulator) : accountOf(simulator)
  const url = new URL('/.well-known/webhooks.json', simulator.origin)
  const upstream = openUpstream({
    account: { ...account, webhookKey: { url } },
    deadlineMs: 60_000,
    clock: systemClock
  })
  t.teardown(() => upstream.close())
  return { simulator, upstream, provider: upstream.on({ tenantId: 'operator', priority: 'mutation' }) }
}

for (const vendor of ['dyte', 'realtimekit'] as const) {
  t.test(`${vendor}: webhooks are listed, added, changed and removed`, async t => {
    const { provider } = await opened(t, { vendor })
    t.strictSame(await provider.listWebhooks(soon()), [], 'none is a 404 at the vendor')
    const added = await provider.addWebhook(wish, soon())
    t.match(added, wish)
    t.strictSame(await provider.listWebhooks(soon()), [added])
    t.match(await provider.changeWebhook(added.id, { enabled: false }, soon()), { ...wish, enabled: false })
    t.equal(await provider.removeWebhook(added.id, soon()), true)
    t.equal(await provider.removeWebhook(added.id, soon()), false)
  })

  t.test(`${vendor}: what it signs is genuine, and what others sign is not`, async t => {
    const { simulator, upstream } = await opened(t, { vendor })
    const body = Buffer.from('{"event":"meeting.started","meeting":{"id":"m1"}}')
    const envelope = upstream.webhooks.readEnvelope({ 'rtk-signature': simulator.webhooks.key.sign(body.toString()) })
    if (envelope === null) throw new Error('it has a signature')
    t.equal(await upstream.webhooks.isGenuine(envelope, body), true)
    t.equal(await upstream.webhooks.isGenuine(envelope, Buffer.from('{}')), false)
    t.match(upstream.webhooks.read(body).news, { meetingId: 'm1' })
    await upstream.webhooks.demandKey()
    t.equal(upstream.webhooks.isKeyMissing, false)
  })
}

t.test('a refusal of this service has its words', async t => {
  const { provider } = await opened(t, {})
  const failure = await failureOf(provider.addWebhook({ ...wish, url: 'nowhere' }, soon()))
  t.match(failure, { type: 'invalid_input', details: [{ field: 'body.url' }] })
  t.match(await failureOf(provider.changeWebhook('7', {}, soon())), { upstreamReason: /must be a valid GUID/ })
})
