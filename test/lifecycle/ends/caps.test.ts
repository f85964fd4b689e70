import t from 'tap'
import { meetingsIn } from '../../../src/store/tables/meetings.ts'
import { limited } from '../../support/ends/limited.ts'
import { until } from '../../support/until.ts'

t.jobs = 3

/** A world in which acme has so many meetings more. */
async function withMeetings(t: Parameters<typeof limited>[0], count: number, limits: Parameters<typeof limited>[1]) {
  const world = await limited(t, limits, { slowDisk: true })
  const meetings = Array.from({ length: count }, () => world.simulator.addMeeting().id)
  await meetingsIn(world.store).assign('acme', 'default', meetings, 1_000)
  const live = (): number => world.simulator.livestreams().filter(({ status }) => status === 'LIVE').length
  return { ...world, meetings, live }
}

t.test('200 starts at the same time begin exactly as many runs as their tenant may have', async t => {
  const { meetings, start, live, asGlobex, otherMeeting } = await withMeetings(t, 200, { maxLive: 7 })
  const [other, ...replies] = await Promise.all([
    asGlobex('POST', `/v2/meetings/${otherMeeting}/livestreams`, {}),
    ...meetings.map(meeting => start({}, meeting))
  ])
  const counts = Object.groupBy(replies, ({ statusCode }) => statusCode)
  t.equal(counts[201]?.length, 7)
  t.equal(counts[403]?.length, 193)
  t.equal(live(), 8)
  t.equal(other?.statusCode, 201, 'what one tenant has live is nothing to another')
  const { error } = counts[403]?.[0]?.json() ?? {}
  t.match(error, {
    type: 'live_limit_reached',
    message: /^The limit max_live of this tenant is reached: 7 of 7 runs go on or are being started$/,
    details: [{ field: 'max_live' }]
  })
})

t.test('a confirmed stop frees its place at once, and a run that is live already is never refused', async t => {
  const { meetings, start, asAcme, simulator, look } = await withMeetings(t, 4, { maxLive: 2 })
  const [first = '', second = '', third = '', fourth = ''] = meetings
  for (const meeting of [first, second]) t.equal((await start({}, meeting)).statusCode, 201)
  t.equal((await start({}, third)).statusCode, 403)
  t.equal((await start({}, first)).statusCode, 200)
  t.equal((await asAcme('POST', `/v2/meetings/${first}/active-livestream/stop`)).statusCode, 200)
  t.equal((await start({}, third)).statusCode, 201)
  simulator.startFromBrowser(fourth)
  t.equal((await start({}, fourth)).statusCode, 200, 'it has begun in a browser')
  await look(fourth)
  await asAcme('POST', `/v2/meetings/${third}/active-livestream/stop`)
  const refusal = await start({}, first)
  t.match(refusal.json().error, { type: 'live_limit_reached', message: /2 of 2 runs/ }, 'a run from a browser counts')
})

t.test('a start that was refused by a limit leaves nothing behind, and its key is free', async t => {
  const { start, limit, asAcme, meeting, upstream, events } = await withMeetings(t, 0, { maxLive: 0 })
  const path = `/v2/meetings/${meeting}/livestreams`
  const key = { 'idempotency-key': 'one' }
  t.equal((await asAcme('POST', path, {}, key)).statusCode, 403)
  t.equal((await asAcme('GET', '/v2/livestreams')).json().data.length, 0)
  t.notOk(upstream().some(call => call.startsWith('POST')))
  const refusals = (await events()).filter(({ api }) => api.operation === 'startLivestream')
  t.match(refusals, [{ status_detail: 'live_limit_reached', unmapped: { outcome: 'not_sent' } }])
  await limit({ maxLive: 1 })
  t.equal((await asAcme('POST', path, {}, key)).statusCode, 201)
  t.equal((await start()).statusCode, 200)
})

t.test('the minutes of a month end what runs, after a warning, and refuse what begins', async t => {
  const { start, look, pass, last, told, stops, isLive } = await withMeetings(t, 0, { minutesPerMonth: 5 })
  await start()
  await look()
  await until(async () => (await last())?.status === 'live')
  await pass(239_000)
  await until(async () => (await last())?.spentAtMs !== null)
  t.notOk((await told()).includes('ending_soon minutes_spent'))
  await pass(2_000)
  await until(async () => (await told()).includes('ending_soon minutes_spent'))
  t.ok(isLive())
  await pass(60_000)
  await until(async () => (await last())?.status === 'ended')
  t.match(await last(), { endedBy: 'minutes_spent' })
  t.strictSame(await stops(), ['minutes_spent pending', 'minutes_spent done'])
  const refusal = await start()
  t.match(refusal.json().error, {
    type: 'live_limit_reached',
    message: /^The limit minutes_per_month of this tenant is reached: 5 of 5 minutes of \d{4}-\d\d \(UTC\) are used$/
  })
})
