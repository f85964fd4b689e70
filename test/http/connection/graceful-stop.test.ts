import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import t from 'tap'
import { gatewayBehindDoor } from '../../support/broadcast/door.ts'
import { manualClock } from '../../support/clock.ts'
import { gateway } from '../../support/gateway.ts'
import { isEnvelope, type RawSocket, rawSocket } from '../../support/http/helper.ts'
import { until } from '../../support/until.ts'

t.test('a stop of the gateway loses no call that is under way, and takes no new one', async t => {
  const world = await gatewayBehindDoor(t, { slowDisk: true, config: { shutdownMs: 60_000 } })
  const { asAcme, meeting, simulator, url, withKey, events, door } = world
  const { key } = await withKey('acme', ['livestreams:read'])
  const half = `GET /v2/livestreams HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\nx-request-id: late\r\n`
  const keptAlive = await rawSocket(url)
  keptAlive.write(`${half}\r\n`)
  t.equal((await keptAlive.answer()).statusCode, 200)
  keptAlive.write(half) // a call whose headers are still on their way when the stop comes
  const asksReady = await rawSocket(url)
  asksReady.write('GET /readyz HTTP/1.1\r\nhost: x\r\n')
  const idle = await rawSocket(url)
  idle.write('GET /livez HTTP/1.1\r\nhost: x\r\n\r\n')
  await idle.answer()

  door.hold('POST')
  const underWay = asAcme('POST', `/v2/meetings/${meeting}/livestreams`, {}, { 'x-request-id': 'under-way' })
  await until(() => door.held().length === 1)
  const closed = world.close()
  t.equal(world.close(), closed, 'a second signal changes nothing')
  await t.resolves(
    until(() => idle.ended(), 5_000),
    'idle connections are closed at once'
  )

  keptAlive.write('\r\n')
  const refused = await keptAlive.answer()
  t.ok(isEnvelope(refused, 503, 'shutting_down'), refused.body)
  t.match(refused.headers, { connection: 'close', 'retry-after': '1' })
  asksReady.write('\r\n')
  const unready = await asksReady.answer()
  t.strictSame([unready.statusCode, unready.json().status], [503, 'unready'])
  const newcomer = await rawSocket(url)
  newcomer.write(`${half}\r\n`)
  t.ok(isEnvelope(await newcomer.answer(), 503, 'shutting_down'), 'a new connection hears it too')

  door.release()
  const finished = await underWay
  t.equal(finished.statusCode, 201)
  t.equal(finished.headers.connection, 'close')
  await closed
  t.ok(keptAlive.ended())

  const onRecord = (id: string) => (outcomes: Awaited<ReturnType<typeof events>>) =>
    outcomes.filter(({ metadata }) => metadata.correlation_uid === id).map(({ unmapped }) => unmapped.outcome)
  const all = await events()
  t.strictSame(onRecord('under-way')(all), ['pending', 'done'], 'everything is on record')
  t.strictSame(onRecord('late')(all), ['done', 'failed', 'failed'], 'what was refused, too')
  t.equal(simulator.livestreams().length, 1)
})

t.test('connections on which nobody asks anything do not hold up the end', async t => {
  const world = await gateway(t, { config: { shutdownMs: 600_000 } })
  const silent = await rawSocket(world.url)
  const half = await rawSocket(world.url)
  half.write('GET /livez HTTP/1.1\r\nhost: x\r\n')
  await (await world.as(null)('GET', '/livez')).json()
  // Waiting for them would take all of its time, which is longer than any test has.
  await world.close()
  await until(() => silent.ended() && half.ended())
})

t.test('strangers hold up the end for a second, whether they do not send or do not read', async t => {
  const { url, app, close } = await gateway(t, { config: { shutdownMs: 600_000 } })
  const slow = await rawSocket(url)
  slow.write('POST /nope HTTP/1.1\r\nhost: x\r\ncontent-length: 60000\r\n\r\n{')
  t.ok(isEnvelope(await slow.answer(), 404, 'not_found'))
  const [[drippedOn], drips] = (await Promise.all([once(app.server, 'connection'), rawSocket(url)])) as [
    [Socket],
    RawSocket
  ]
  drips.write('POST /nope HTTP/1.1\r\nhost: x\r\ncontent-length: 60000\r\n\r\n{')
  await drips.answer()
  const { bytesRead } = drippedOn
  drips.write('"')
  await until(() => drippedOn.bytesRead > bytesRead)
  const { hostname, port } = new URL(url)
  const lazy = connect({ host: hostname, port: Number(port) })
  t.teardown(() => lazy.destroy())
  lazy.on('error', () => {})
  const [accepted] = (await once(app.server, 'connection')) as [Socket]
  lazy.write('GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(100))
  await until(() => accepted.writableLength > 0)
  // Their time-outs are longer than a test's.
  app.server.setTimeout(0)
  await close()
  await until(() => slow.ended() && drips.ended())
})

t.test('a caller with a key that does not read its answers holds up the end for a second too', async t => {
  const clock = manualClock()
  const { url, app, withKey, close } = await gateway(t, { clock, config: { shutdownMs: 600_000, docs: 'key' } })
  const { key } = await withKey('acme', ['livestreams:read'])
  const { hostname, port } = new URL(url)
  const lazy = connect({ host: hostname, port: Number(port) })
  t.teardown(() => lazy.destroy())
  lazy.on('error', () => {})
  const [accepted] = (await once(app.server, 'connection')) as [Socket]
  lazy.write(`GET /openapi.json HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\n\r\n`.repeat(100))
  await until(() => accepted.writableLength > 0)
  let ended = false
  const closed = close().then(() => {
    ended = true
  })
  // Connections are looked at once a second.
  await new Promise(resolve => setTimeout(resolve, 2_100))
  t.notOk(ended)
  clock.advance(1_000)
  await t.resolves(until(() => ended, 5_000))
  lazy.destroy()
  await closed
})

t.test('a stop that waits while its caller has hung up is sent before the end', async t => {
  const { asAcme, meeting, simulator, url, withKey, close, door } = await gatewayBehindDoor(t)
  const { key } = await withKey('acme', ['livestreams:start', 'livestreams:stop'])
  door.hold('POST')
  const hangUp = new AbortController()
  const post = (path: string) =>
    fetch(`${url}/v2/meetings/${meeting}/${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}` },
      signal: hangUp.signal
    }).catch(() => null)
  const calls = [post('livestreams')]
  await until(() => door.held().length === 1)
  calls.push(post('active-livestream/stop'))
  t.equal((await asAcme('GET', `/v2/meetings/${meeting}`)).statusCode, 200) // the stop was sent before: it is in the meeting's queue
  hangUp.abort()
  await Promise.all(calls)
  const closed = close()
  door.release()
  await closed
  t.equal(simulator.livestreams()[0]?.status, 'IDLE')
})
