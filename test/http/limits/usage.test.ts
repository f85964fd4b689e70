import t from 'tap'
import { tenantsIn } from '../../../src/store/tables/tenants.ts'
import { manualClock } from '../../support/clock.ts'
import { gateway } from '../../support/gateway.ts'
import { makeMeetings } from '../../support/http/mutating.ts'

const clock = manualClock()
const config = {
  readLimit: { calls: 100, seconds: 60, burst: 20 },
  writeLimit: { calls: 10, seconds: 60, burst: 10 },
  maxInFlight: 7
}
const { asAcme, asGlobex, withKey, meeting, store, simulator, directory, events } = await gateway(t, { clock, config })

t.test('a tenant sees what it has spent of its limits; asking counts as one read', async t => {
  const { statusCode, body, headers } = await asAcme('GET', '/gateway/usage')
  t.equal(statusCode, 200)
  t.strictSame(JSON.parse(body), {
    success: true,
    data: {
      limits: {
        read: { calls: 100, seconds: 60, burst: 20, remaining: 19, reset_seconds: 1 },
        write: { calls: 10, seconds: 60, burst: 10, remaining: 10, reset_seconds: 0 }
      },
      in_flight: { now: 1, max: 7 },
      live_livestreams: 0,
      runs: {
        live: { now: 0, max: null },
        minutes: { month: new Date(clock.now()).toISOString().slice(0, 7), used: 0, max: null },
        max_duration_seconds: null,
        default_duration_seconds: null
      }
    }
  })
  t.match(headers, { 'ratelimit-policy': '"read";q=20;w=12', ratelimit: '"read";r=19;t=1' })

  await asAcme('GET', '/v2/livestreams')
  await asAcme('POST', '/v2/meetings', { nothing: 1 })
  const { limits } = (await asAcme('GET', '/gateway/usage')).json().data
  t.match(limits, { read: { remaining: 17, reset_seconds: 2 }, write: { remaining: 9, reset_seconds: 6 } })
  for (let i = 0; i < 17; i++) t.equal((await asAcme('GET', '/gateway/usage')).statusCode, 200)
  t.equal((await asAcme('GET', '/gateway/usage')).statusCode, 429, 'what is said to remain is what can be spent')
})

t.test('nothing in it is of another tenant', async t => {
  clock.advance(60_000)
  await directory.pull()
  const before = (await asGlobex('GET', '/gateway/usage')).body
  const meetings = [meeting, ...(await makeMeetings(store, simulator, 'acme', 1))]
  for (const id of meetings) t.equal((await asAcme('POST', `/v2/meetings/${id}/livestreams`)).statusCode, 201)
  await asAcme('GET', '/v2/livestreams')
  t.equal((await asAcme('GET', '/gateway/usage')).json().data.live_livestreams, 2)
  clock.advance(60_000)
  await directory.pull()
  t.equal((await asGlobex('GET', '/gateway/usage')).body, before)
})

t.test('a run that has ended is not live', async t => {
  const live = async (): Promise<number> => (await asAcme('GET', '/gateway/usage')).json().data.live_livestreams
  t.equal(await live(), 2)
  await asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)
  t.equal(await live(), 1)
})

t.test("it shows the tenant's own limits as soon as they hold", async t => {
  await tenantsIn(store).update('globex', { readLimit: { calls: 6, seconds: 2, burst: 3 } }, clock.now())
  await directory.pull()
  clock.advance(60_000)
  await directory.pull()
  const { read } = (await asGlobex('GET', '/gateway/usage')).json().data.limits
  t.strictSame(read, { calls: 6, seconds: 2, burst: 3, remaining: 2, reset_seconds: 1 })
})

t.test('it shows what runs have used of their limits: those that go on, and the minutes of the month', async t => {
  const limits = { maxLive: 2, minutesPerMonth: 60, maxDurationSeconds: 7_200, defaultDurationSeconds: 3_600 }
  await tenantsIn(store).update('globex', { limits }, clock.now())
  await directory.pull()
  const [first = '', second = ''] = await makeMeetings(store, simulator, 'globex', 2)
  const runs = async () => (await asGlobex('GET', '/gateway/usage')).json().data.runs
  t.match(await runs(), { live: { now: 0, max: 2 }, max_duration_seconds: 7_200, default_duration_seconds: 3_600 })
  t.equal((await asGlobex('POST', `/v2/meetings/${first}/livestreams`)).statusCode, 201)
  t.equal((await asGlobex('GET', `/v2/meetings/${first}/active-livestream`)).json().data.status, 'LIVE')
  clock.advance(150_000)
  await directory.pull()
  t.equal((await asGlobex('POST', `/v2/meetings/${first}/active-livestream/stop`)).statusCode, 200)
  t.equal((await asGlobex('POST', `/v2/meetings/${second}/livestreams`)).statusCode, 201)
  t.match(await runs(), { live: { now: 1, max: 2 }, minutes: { used: 2, max: 60 } })
})

t.test('it needs a key that may read, takes no question, and is on record', async t => {
  const { call } = await withKey('acme', ['meetings:read'])
  t.equal((await call('GET', '/gateway/usage')).statusCode, 403)
  t.equal((await asAcme('GET', '/gateway/usage?tenant=globex')).statusCode, 400)
  const outcomes = (await events())
    .filter(({ api }) => api.operation === 'getUsage')
    .map(({ unmapped }) => unmapped.outcome)
  t.strictSame(outcomes.slice(-3), ['done', 'refused', 'refused'])
})
