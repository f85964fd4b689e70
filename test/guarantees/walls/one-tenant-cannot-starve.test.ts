import t from 'tap'
import { gatewayBehindDoor } from '../../support/broadcast/door.ts'
import { manualClock } from '../../support/clock.ts'
import { gateway, type Reply } from '../../support/gateway.ts'
import { rawSocket, tally } from '../../support/http/helper.ts'
import { until } from '../../support/until.ts'

t.test('a tenant at fifty times its limit takes nothing from another one, nor do strangers', async t => {
  const clock = manualClock()
  const limits = { readLimit: { calls: 20, seconds: 60, burst: 20 }, writeLimit: { calls: 10, seconds: 60, burst: 10 } }
  const { withKey, asGlobex, otherMeeting, url, upstream, app } = await gateway(t, { clock, config: limits })
  const { key, call } = await withKey('acme', ['livestreams:read', 'meetings:write'])

  const flood = await rawSocket(url)
  flood.write(`GET /v2/livestreams HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\n\r\n`.repeat(1_000))
  const strangers = Array.from({ length: 300 }, () => app.inject('/v2/livestreams'))

  const polite: Reply[] = []
  for (let i = 0; i < 8; i++) {
    polite.push(await asGlobex('GET', '/v2/livestreams'))
    polite.push(await asGlobex('GET', `/v2/meetings/${otherMeeting}`))
    if (i % 2) polite.push(await asGlobex('PATCH', `/v2/meetings/${otherMeeting}`, { title: `take ${i}` }))
  }
  t.strictSame(tally(polite), { 200: 20 })

  const flooded: Reply[] = []
  for (let i = 0; i < 1_000; i++) flooded.push(await flood.answer())
  flood.destroy()
  t.strictSame(tally(flooded), { 200: 20, 429: 980 })
  t.strictSame(tally(await Promise.all(strangers)), { 401: 120, 429: 180 })
  const own = upstream().filter(line => !line.includes(otherMeeting))
  t.ok(own.length <= 20, 'and what is refused costs the vendor nothing')

  t.equal((await call('GET', '/v2/livestreams')).statusCode, 429, 'the flood has spent its own reads')
  t.equal((await call('POST', '/v2/meetings', { title: 'a' })).statusCode, 201, 'and not its writes')
})

t.test('a tenant whose calls hang at the vendor keeps no other tenant waiting', async t => {
  const { asAcme, asGlobex, meeting, otherMeeting, door } = await gatewayBehindDoor(t)
  door.hold(`GET /v2/meetings/${meeting}`)
  const hanging = Array.from({ length: 30 }, () => asAcme('GET', `/v2/meetings/${meeting}`))
  await until(() => door.held().length > 0)
  const replies = await Promise.all(Array.from({ length: 20 }, () => asGlobex('GET', `/v2/meetings/${otherMeeting}`)))
  t.strictSame(tally(replies), { 200: 20 })
  t.ok(door.held().length > 0, 'while the others hang')
  door.release()
  t.strictSame(tally(await Promise.all(hanging)), { 200: 30 })
})
