import { randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { commandLine } from '../../support/cli.ts'
import { environmentOf } from '../../support/config.ts'
import { gateway } from '../../support/gateway.ts'
import { meetingNews, webhookSender } from '../../support/http/webhooks.ts'

const events = ['livestreaming.statusUpdate', 'meeting.started', 'meeting.ended']

/** A gateway that has ended, with its vendor and the line that doctor has on its webhooks. */
async function world(t: Test) {
  const running = await gateway(t)
  const { simulator, storeFile, url } = running
  const lineWith = async (env: object = {}): Promise<string> => {
    const { run } = commandLine(t, { DATABASE_URL: `sqlite:${storeFile}`, ...environmentOf(simulator), ...env })
    const { code, stdout } = await run('doctor')
    t.equal(code, 0, 'it is a mistake of none')
    const lines = stdout.split('\n').filter(line => line.includes('webhooks of the upstream default'))
    t.equal(lines.length, 1)
    return lines[0] ?? ''
  }
  const register = (change: object = {}) =>
    simulator.webhooks.register({ name: 'livegate', url: `${url}/webhooks/default`, events, ...change })
  return { ...running, ...webhookSender(url, simulator), lineWith, register }
}

t.test('without a webhook all is well, unless the gateway has an address for them', async t => {
  const { lineWith } = await world(t)
  t.match(await lineWith(), /^ok .*none is registered: news come when Livegate looks/)
  const env = { LIVEGATE_PUBLIC_URL: 'https://video.example' }
  t.match(
    await lineWith(env),
    /^warn .*none leads to https:\/\/video\.example\/webhooks\/default: `livegate webhook register`/
  )
})

t.test('one that is off, or lacks events, is warned of with the command that corrects it', async t => {
  const { lineWith, register, simulator, url } = await world(t)
  const { id } = register({ events: ['meeting.ended'] })
  const command = `\`livegate webhook register ${url}\` sets it right`
  t.match(await lineWith(), `lacks livestreaming.statusUpdate, meeting.started: ${command}`)
  simulator.webhooks.registered.change(id, { events, enabled: false }, false)
  t.match(await lineWith(), `is off: ${command}`)
})

t.test('it says what has come, and when', async t => {
  const { lineWith, register, send, meeting, close } = await world(t)
  register()
  t.match(await lineWith(), /^ok .*none has come yet \(0 refused\)$/)
  for (let i = 0; i < 2; i++) await send(meetingNews('meeting.ended', meeting, meeting))
  await send({ event: 'meeting.summary' })
  await close()
  t.match(await lineWith(), /the last one came 20\S+Z; 1 taken, 1 repeated, 1 of unknown events, 0 refused$/)
})

t.test('signatures of our own webhook that do not verify are told of, those of strangers counted', async t => {
  const { lineWith, register, send, close, meeting } = await world(t)
  const { id } = register()
  const forged = { 'rtk-signature': randomBytes(256).toString('base64') }
  await send(meetingNews('meeting.ended', meeting))
  await send({ event: 'meeting.ended' }, forged)
  await send({ event: 'meeting.ended' }, { ...forged, 'rtk-webhook-id': id })
  await close()
  t.match(await lineWith(), /^warn .*their signatures do not verify \(last 20\S+Z\): look at webhook_key_url/)
})

t.test('a key that cannot be had is told of', async t => {
  const { lineWith, register, simulator } = await world(t)
  register()
  simulator.fail({ match: { path: '/.well-known/webhooks.json' }, status: 404 })
  t.match(await lineWith(), /^warn .*cannot be had: http:\S+ answers 404$/)
})

t.test('a vendor that does not list them is told of once', async t => {
  const { simulator, storeFile } = await world(t)
  const { run } = commandLine(t, { DATABASE_URL: `sqlite:${storeFile}`, ...environmentOf(simulator) })
  simulator.fail({
    match: { path: '/webhooks' },
    status: 409,
    body: { success: false, error: { code: 409, message: 'no' } }
  })
  t.match((await run('doctor')).stdout, /^warn {2}webhooks of the upstream default: could not be listed: /m)
  simulator.clearFaults()
  simulator.accept('another-key')
  const { stdout } = await run('doctor')
  t.match(stdout, /^FAIL {2}credentials/m)
  t.notMatch(stdout, 'webhooks of')
})

t.test('with a configuration that is broken elsewhere the address is read all the same', async t => {
  const { simulator } = await world(t)
  const env = { DATABASE_URL: 'nonsense', LIVEGATE_PUBLIC_URL: 'https://video.example', ...environmentOf(simulator) }
  const { stdout } = await commandLine(t, env).run('doctor')
  t.match(stdout, /none leads to https:\/\/video\.example/)
})
