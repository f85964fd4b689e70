import t from 'tap'
import type { SimulatorOptions } from '../../../src/simulator/simulator.ts'
import { tenantsIn } from '../../../src/store/tables/tenants.ts'
import { hourMs, steppedClock } from '../../support/clock.ts'
import { addTenant, gateway } from '../../support/gateway.ts'
import { carriedOut, giveOrder, liveShows, running } from '../../support/orders/live-shows.ts'
import { until } from '../../support/until.ts'

const counts = (stops: { state: string }[]) =>
  Object.fromEntries(
    Object.entries(Object.groupBy(stops, ({ state }) => state)).map(([state, some]) => [state, some?.length])
  )

// Each has a gateway of its own, and waits for it.
t.jobs = 4

t.test(
  'an order stops 50 runs of three tenants that nobody started here, and each is on record with its reason',
  async t => {
    const { store, simulator, events } = await gateway(t)
    await addTenant(store, 'initech')
    const shows = new Map<string, string>()
    for (const [tenant, count] of [
      ['acme', 20],
      ['globex', 20],
      ['initech', 10]
    ] as const)
      for (const id of await liveShows(store, simulator, tenant, count)) shows.set(id, tenant)
    t.equal(running(simulator).length, 50)
    const { stops, order } = await carriedOut(store, await giveOrder(store))
    t.strictSame(running(simulator), [])
    t.strictSame(counts(stops), { stopped: 50 })
    t.match(order, { unasked: [], unowned: [] })
    const runs = await store.engine.read(store.sql.selectFrom('broadcast_runs').select('ended_by').compile())
    t.strictSame([runs.length, new Set(runs.map(run => run.ended_by))], [50, new Set(['operator'])])
    const all = (await events()).filter(({ api }) => api.operation === 'stopLivestream')
    const meetingOf = (event: (typeof all)[number]) => event.resources.find(({ type }) => type === 'meeting')?.uid ?? ''
    const intents = all.filter(({ unmapped }) => unmapped.outcome === 'pending')
    const tenants = new Map(intents.map(event => [meetingOf(event), event.unmapped.tenant_id]))
    t.strictSame(new Map([...tenants].sort()), new Map([...shows].sort()))
    t.equal(intents.length, 50, 'one stop for each')
    for (const event of intents)
      t.match(event, { status_detail: 'operator', actor: { user: { uid: 'ada', type: 'Operator' } } })
    t.equal(all.filter(({ unmapped }) => unmapped.outcome === 'done').length, 50)
  }
)

t.test("an order about one tenant touches no other's, and says nothing of what is nobody's", async t => {
  const { store, simulator } = await gateway(t)
  await liveShows(store, simulator, 'acme', 3)
  const theirs = await liveShows(store, simulator, 'globex', 3)
  const { id: nobodys } = simulator.addMeeting()
  simulator.startFromBrowser(nobodys)
  const { stops, order } = await carriedOut(store, await giveOrder(store, { tenantId: 'acme' }))
  t.strictSame(counts(stops), { stopped: 3 })
  t.strictSame(order?.unowned, [])
  t.strictSame(running(simulator), [...theirs, nobodys].sort())
})

t.test('an order names what no tenant has, and what no stop can end', async t => {
  const { store, simulator, asAcme } = await gateway(t)
  const { id: nobodys } = simulator.addMeeting()
  const { id: livestreamId } = simulator.startFromBrowser(nobodys)
  const { id } = (await asAcme('POST', '/v2/livestreams', { name: 'encoder' })).json().data
  const { id: foreign } = simulator.addLivestream()
  const { id: idle } = simulator.addLivestream()
  for (const one of [id, foreign]) simulator.ingest(one)
  const { stops, order } = await carriedOut(store, await giveOrder(store))
  t.match(stops, [{ meetingId: null, livestreamId: id, state: 'left', reason: /has no meeting/ }])
  t.equal(stops.length, 1)
  const unowned = order?.unowned.map(one => one.livestreamId)
  t.strictSame(new Set(unowned), new Set([livestreamId, foreign]), `${idle} waits for its encoder, and is no run`)
})

t.test('an order stops a start whose outcome is unknown', async t => {
  const { store, simulator, asAcme, meeting } = await gateway(t)
  const lost = { afterWork: true, hangUp: true, delayMs: 300 }
  simulator.failNext({ match: { path: '/meetings/*/livestreams', method: 'POST' }, ...lost })
  const starting = asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  await until(() => simulator.journal.some(({ method }) => method === 'POST'))
  const heal = simulator.fail({ match: { method: 'GET' }, status: 500, body: {} })
  const { statusCode, json } = await starting
  t.match([statusCode, json().error], [502, { outcome: 'unknown' }])
  t.strictSame(running(simulator), [meeting])
  const id = await giveOrder(store)
  heal()
  t.match((await carriedOut(store, id)).stops, [{ meetingId: meeting, state: 'stopped' }])
  t.strictSame(running(simulator), [])
})

t.test('a start that is under way when the order comes is stopped when it has begun its run', async t => {
  const { store, simulator, asAcme, meeting } = await gateway(t)
  simulator.failNext({ match: { path: '/meetings/*/livestreams', method: 'POST' }, delayMs: 2_500 })
  const starting = asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  await until(() => simulator.journal.some(({ method }) => method === 'POST'))
  const { stops } = await carriedOut(store, await giveOrder(store))
  t.equal((await starting).statusCode, 201)
  t.match(stops, [{ meetingId: meeting, state: 'stopped' }])
  t.strictSame(running(simulator), [])
})

t.test('an order that is given after the clock was set back stops what began before', async t => {
  const clock = steppedClock()
  const { store, simulator, asAcme, meeting } = await gateway(t, { clock })
  t.equal((await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).statusCode, 201)
  clock.step(-hourMs)
  const { stops } = await carriedOut(store, await giveOrder(store, { createdAtMs: clock.now() }))
  t.match(stops, [{ meetingId: meeting, state: 'stopped' }])
  t.strictSame(running(simulator), [])
})

t.test('a stop that the vendor refuses is repeated until it works, and holds back no other', async t => {
  const { store, simulator } = await gateway(t)
  const [stubborn = '', other = ''] = await liveShows(store, simulator, 'acme', 2)
  const heal = simulator.fail({
    match: { path: `/meetings/${stubborn}/active-livestream/stop` },
    status: 500,
    body: {}
  })
  const id = await giveOrder(store)
  await until(() => !running(simulator).includes(other))
  t.strictSame(running(simulator), [stubborn])
  heal()
  t.strictSame(counts((await carriedOut(store, id)).stops), { stopped: 2 })
  t.strictSame(running(simulator), [])
})

t.test('both livestreams of one meeting are stopped', async t => {
  const { store, simulator, meeting } = await gateway(t, { simulator: { startWhileLive: 'second' } })
  for (let i = 0; i < 2; i++) simulator.startFromBrowser(meeting)
  t.strictSame(running(simulator), [meeting, meeting])
  const { stops } = await carriedOut(store, await giveOrder(store))
  t.strictSame(counts(stops), { stopped: 2 })
  t.strictSame(running(simulator), [])
})

t.test('a suspension stops what its tenant has live, and nothing starts any more', async t => {
  const { store, simulator, asAcme, meeting } = await gateway(t)
  await liveShows(store, simulator, 'acme', 2)
  await tenantsIn(store).update('acme', { suspended: true }, Date.now())
  const { stops } = await carriedOut(store, await giveOrder(store, { tenantId: 'acme', reason: 'suspended' }))
  t.strictSame(counts(stops), { stopped: 2 })
  t.equal((await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).statusCode, 403)
  t.strictSame(running(simulator), [])
})

t.test('an order about nothing ends at once', async t => {
  const { store } = await gateway(t)
  t.strictSame((await carriedOut(store, await giveOrder(store))).stops, [])
})

/** Habits that vendors have, or may have. */
const habits: [name: string, simulator: SimulatorOptions][] = [
  ['tells of what runs by lists alone', { vendor: 'realtimekit', nothingLive: '500' }],
  ['has the contract of before', { contract: 'L1' }],
  ['hides a run that is not on air yet', { liveAfterMs: 60_000, activeDuringInvoked: '404' }],
  ['refuses the stop of a run that is not on air yet', { liveAfterMs: 2_500, stopRefusal: '409' }],
  ['shows a run for longer than it goes on', { stoppingForMs: 4_000 }]
]

for (const [name, options] of habits)
  t.test(`an order stops all at a vendor that ${name}`, async t => {
    const { store, simulator } = await gateway(t, { simulator: options })
    const theirs = await liveShows(store, simulator, 'globex', 1)
    await liveShows(store, simulator, 'acme', 3)
    const { stops } = await carriedOut(store, await giveOrder(store, { tenantId: 'acme', reason: 'suspended' }))
    t.strictSame(counts(stops), { stopped: 3 })
    await until(() => running(simulator).length === 1)
    t.strictSame(running(simulator), theirs)
  })
