import t from 'tap'
import { gatewayBehindDoor } from '../../support/broadcast/door.ts'
import { limited } from '../../support/ends/limited.ts'
import { withLedger } from '../../support/ledger/world.ts'
import { until } from '../../support/until.ts'

t.jobs = 3

t.test(
  'a meeting that becomes INACTIVE through Livegate stops its livestream, as an operation of the gateway',
  async t => {
    const { start, asAcme, meeting, last, stops, isLive, upstream } = await limited(t)
    await start()
    const reply = await asAcme('PATCH', `/v2/meetings/${meeting}`, { status: 'INACTIVE' })
    t.equal(reply.statusCode, 200)
    await until(async () => (await last())?.status === 'ended')
    t.notOk(isLive())
    t.match(await last(), { endedBy: 'meeting_inactive' })
    t.strictSame(await stops(), ['meeting_inactive pending', 'meeting_inactive done'])
    const calls = upstream()
    const patched = calls.findIndex(call => call.startsWith('PATCH'))
    t.ok(patched >= 0 && patched < calls.findIndex(call => call.includes('/active-livestream/stop')))
  }
)

t.test('so it does with a run that Livegate has never seen', async t => {
  const { simulator, asAcme, meeting, last, isLive } = await limited(t)
  simulator.startFromBrowser(meeting)
  t.equal((await asAcme('PATCH', `/v2/meetings/${meeting}`, { status: 'INACTIVE' })).statusCode, 200)
  await until(async () => (await last())?.status === 'ended')
  t.notOk(isLive())
  t.match(await last(), { endedBy: 'meeting_inactive', operationId: null })
})

t.test('a key that may not stop livestreams retires a meeting only while nothing is live there', async t => {
  const { withKey, simulator, meeting, isLive, last } = await limited(t)
  const { call } = await withKey('acme', ['meetings:write', 'meetings:read'])
  simulator.startFromBrowser(meeting)
  const refusal = await call('PATCH', `/v2/meetings/${meeting}`, { status: 'INACTIVE' })
  t.equal(refusal.statusCode, 403)
  t.match(refusal.json().error, { type: 'scope_missing', message: /livestreams:stop/ })
  t.ok(isLive())
  t.equal((await call('PATCH', `/v2/meetings/${meeting}`, { title: 'x' })).statusCode, 200, 'it may change all else')
  simulator.end(String((await last())?.livestreamId))
  t.equal((await call('PATCH', `/v2/meetings/${meeting}`, { status: 'INACTIVE' })).statusCode, 200)
})

t.test('such a key does not retire a meeting whose start is on its way, of which the vendor shows nothing', async t => {
  const { withKey, door, meeting, start, runs, upstream } = withLedger(await gatewayBehindDoor(t))
  const { call } = await withKey('acme', ['meetings:write', 'meetings:read'])
  door.hold('POST')
  const reply = start()
  await until(() => door.held().length > 0)
  t.match(await runs(), [{ status: 'starting' }])
  const refusal = await call('PATCH', `/v2/meetings/${meeting}`, { status: 'INACTIVE' })
  t.match(refusal.json().error, { code: 403, type: 'scope_missing', message: /livestreams:stop/ })
  t.notOk(upstream().some(line => line.startsWith('PATCH')))
  door.release()
  t.equal((await reply).statusCode, 201)
})

t.test('a run ends with its meeting when two looks, a minute apart, show that its session is gone', async t => {
  const { simulator, start, look, meeting, pass, last, isLive, stops } = await limited(t)
  simulator.joinMeeting(meeting)
  await start()
  await look()
  await pass(61_000)
  await until(async () => (await last())?.meetingSessionId !== null)
  simulator.endMeeting(meeting)
  await pass(61_000)
  await until(async () => (await last())?.sessionGoneAtMs !== null)
  t.ok(isLive(), 'one look is no proof')
  simulator.joinMeeting(meeting)
  await pass(61_000)
  await until(async () => (await last())?.sessionGoneAtMs === null)
  simulator.endMeeting(meeting)
  await pass(61_000)
  await until(async () => (await last())?.sessionGoneAtMs !== null)
  await pass(61_000)
  await until(async () => (await last())?.status === 'ended')
  t.match(await last(), { endedBy: 'meeting_ended' })
  t.strictSame(await stops(), ['meeting_ended pending', 'meeting_ended done'])
})

t.test(
  'a run goes on without anybody in its meeting where nobody was ever seen there, or its tenant wants that',
  async t => {
    const never = await limited(t)
    await never.start()
    await never.look()
    const off = await limited(t, { stopWithMeeting: false })
    off.simulator.joinMeeting(off.meeting)
    await off.start()
    await off.look()
    await off.pass(61_000)
    off.simulator.endMeeting(off.meeting)
    for (const { pass, last, isLive } of [never, off]) {
      for (let looks = 0; looks < 3; looks++) await pass(61_000)
      t.match(await last(), { endedAtMs: null, endingBy: null, sessionGoneAtMs: null })
      t.ok(isLive())
    }
  }
)
