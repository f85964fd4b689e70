import { randomUUID } from 'node:crypto'
import Database from 'better-sqlite3'
import t from 'tap'
import { meetingsIn } from '../../../src/store/tables/meetings.ts'
import { gatewayBehindDoor, type WorldWithDoor } from '../../support/broadcast/door.ts'
import { manualClock } from '../../support/clock.ts'
import { plenty } from '../../support/config.ts'
import { lockStore } from '../../support/faulty-store.ts'
import { gateway, type Reply, type TestContext, type World, type WorldOptions } from '../../support/gateway.ts'
import { until } from '../../support/until.ts'

/** Long enough that nothing which hangs has ended when the stop is answered. */
const patient = { readLimit: plenty, writeLimit: plenty, deadlineMs: 60_000, shutdownMs: 1_000 }

type Headers = Record<string, string>

/** A gateway whose meeting is live. */
async function onAir(t: TestContext, options: WorldOptions = {}) {
  return live(await gateway(t, options))
}

/** The same, and the test decides when the vendor hears of something. */
async function onAirBehindDoor(t: TestContext, options: WorldOptions = {}) {
  return live(await gatewayBehindDoor(t, options))
}

async function live<Made extends World>(world: Made) {
  const { asAcme, meeting, simulator } = world
  const start = await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  if (start.statusCode !== 201) throw new Error(`it did not start: ${start.body}`)
  const path = `/v2/meetings/${meeting}/active-livestream/stop`
  return {
    ...world,
    stop: (headers: Headers = {}) => asAcme('POST', path, undefined, headers),
    isLive: () => simulator.livestreams().some(({ status }) => status !== 'IDLE'),
    stopsSent: () => simulator.journal.filter(({ target }) => target === path).length
  }
}

/** Reads of which none can share the answer of another. */
function pagesOf({ asAcme, simulator }: World, count: number): Promise<Reply>[] {
  const path = `/v2/livestreams/${simulator.livestreams()[0]?.id}`
  return Array.from({ length: count }, (_, i) => asAcme('GET', `${path}?page_no=${i + 1}`))
}

/** The vendor answers what hung until now; gives the statuses. */
async function letGo({ door }: WorldWithDoor, hanging: Promise<Reply>[]): Promise<number[]> {
  door.release()
  return (await Promise.all(hanging)).map(({ statusCode }) => statusCode)
}

t.test('a write limit that is spent, by stops themselves too, does not hold back the stop of what is live', async t => {
  const clock = manualClock()
  const { asAcme, stop, isLive, meeting, simulator } = await onAir(t, {
    clock,
    slowDisk: true,
    config: { writeLimit: { calls: 2, seconds: 86_400, burst: 2 } }
  })
  await stop()
  clock.advance(1_000) // stops are spaced by so much, and this one shall not wait
  t.match((await stop()).headers.ratelimit, /^"write";r=0;/, 'it was fruitless and has spent the rest')
  t.equal((await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).statusCode, 429)
  simulator.startFromBrowser(meeting)
  t.ok(isLive())
  clock.advance(1_000)
  t.equal((await stop()).statusCode, 200)
  t.notOk(isLive())
})

t.test('a used-up quota of the vendor is told to all but a stop, and the stop of what is live is sent', async t => {
  const quota = { calls: 40, seconds: 86_400 }
  const { asAcme, stop, isLive, meeting, simulator } = await onAir(t, { quota, config: patient, slowDisk: true })
  let page = 0
  const read = () => asAcme('GET', `/v2/livestreams/${simulator.livestreams()[0]?.id}?page_no=${++page}`)
  const change = () => asAcme('PATCH', `/v2/meetings/${meeting}`, { title: 'changed' })
  for (const call of [read, change]) {
    let last: Reply | undefined
    for (let i = 0; i < 40 && last?.statusCode !== 503; i++) last = await call()
    t.match(last?.json().error, { type: 'upstream_budget_exhausted' })
  }
  t.match((await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).json().error, {
    type: 'upstream_budget_exhausted',
    outcome: 'not_sent'
  })
  t.equal((await stop()).statusCode, 200)
  t.notOk(isLive())
  // Also beyond the reserve, and also a run that Livegate has not seen.
  for (let i = 0; i < 3; i++) {
    simulator.startFromBrowser(meeting)
    t.equal((await stop()).statusCode, 200)
    t.notOk(isLive())
  }
})

t.test('while the vendor is not asked because it fails, the stop of what is live is sent', async t => {
  const { asAcme, stop, isLive, meeting, simulator } = await onAir(t)
  const end = simulator.fail({ match: { method: 'GET' }, status: 500 })
  for (let i = 0; i < 5; i++) await asAcme('GET', `/v2/meetings/${meeting}`)
  const path = `/v2/meetings/${meeting}`
  t.match((await asAcme('GET', path)).json().error, { type: 'upstream_unavailable' })
  const change = await asAcme('PATCH', path, { title: 'changed' })
  t.match(change.json().error, { type: 'upstream_unavailable', outcome: 'not_sent' })
  t.equal((await stop()).statusCode, 200)
  t.notOk(isLive())
  end()
  t.equal((await asAcme('GET', path)).statusCode, 200, 'its success has shown that the vendor is there')
})

t.test('a loop of stops that have nothing to stop does not empty the quota', async t => {
  const clock = manualClock()
  const { asAcme, meeting, simulator, directory, stopsSent, stop } = await onAir(t, {
    clock,
    slowDisk: true,
    quota: { calls: 40, seconds: 3_600 },
    config: patient
  })
  t.equal((await stop()).statusCode, 200)
  const answers: number[] = []
  for (let i = 0; i < 60; i++) {
    clock.advance(5_000) // stops of one meeting are spaced by so much at most
    await directory.pull()
    answers.push((await stop()).statusCode)
  }
  t.ok(stopsSent() < 40, `${stopsSent()} were sent`)
  t.ok(answers.includes(503))
  simulator.startFromBrowser(meeting)
  clock.advance(10_000)
  await directory.pull()
  t.equal((await asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)).statusCode, 200)
  t.notOk(
    simulator.livestreams().some(({ status }) => status !== 'IDLE'),
    'and a run that comes later can be stopped'
  )
})

t.test('a loop of stops over many meetings that have nothing to stop leaves others their starts', async t => {
  const clock = manualClock()
  const world = await onAir(t, {
    clock,
    slowDisk: true,
    simulator: { stopWithNothingLive: '404', quota: '500/60,30', now: clock.now },
    quota: { calls: 500, seconds: 60 },
    config: { ...patient, deadlineMs: 5_000 }
  })
  const { asAcme, asGlobex, simulator, store, directory, otherMeeting, stop, isLive } = world
  const meetings = Array.from({ length: 100 }, () => simulator.addMeeting({ id: randomUUID() }).id)
  await meetingsIn(store).assign('acme', 'default', meetings, Date.now())
  clock.advance(61_000)
  await directory.pull()
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < meetings.length; i += 10) {
      const some = meetings.slice(i, i + 10)
      await Promise.all(some.map(id => asAcme('POST', `/v2/meetings/${id}/active-livestream/stop`)))
    }
    clock.advance(10_500) // longer than any pause
    await directory.pull()
  }
  t.equal(simulator.journal.filter(({ status }) => status === 429).length, 0, 'the vendor refuses nothing')
  t.equal((await asGlobex('POST', `/v2/meetings/${otherMeeting}/livestreams`)).statusCode, 201)
  const last = await stop()
  t.equal(last.statusCode, 200, `and what is known to be live is stopped: ${last.body}`)
  t.equal(simulator.livestreams().filter(({ status }) => status !== 'IDLE').length, 1)
  t.ok(isLive(), 'that of the other tenant')
})

t.test('a run that was started behind a stop of nothing can be stopped while the vendor fails', async t => {
  const clock = manualClock()
  const world = await onAirBehindDoor(t, { clock, slowDisk: true, simulator: { stopWithNothingLive: '404' } })
  const { asAcme, stop, isLive, meeting, simulator, door, inLine } = world
  t.equal((await stop()).statusCode, 200)
  clock.advance(1_000)
  door.hold('POST')
  const fruitless = stop()
  await until(() => door.held().length === 1)
  const [start] = await inLine([() => asAcme('POST', `/v2/meetings/${meeting}/livestreams`)])
  door.release()
  t.equal((await fruitless).statusCode, 200)
  t.equal((await start)?.statusCode, 201)
  simulator.fail({ match: { method: 'GET' }, status: 500 })
  for (let i = 0; i < 5; i++) await asAcme('GET', `/v2/meetings/${meeting}`)
  t.equal((await stop()).statusCode, 200)
  t.notOk(isLive())
})

t.test('while every connection for reads hangs, and many changes, a stop goes out on one of its own', async t => {
  const world = await onAirBehindDoor(t, { config: patient, slowDisk: true })
  const { asAcme, meeting, simulator, stop, isLive, door } = world
  const before = simulator.journal.length
  door.hold('GET', 'PATCH')
  const path = `/v2/meetings/${meeting}`
  const reads = pagesOf(world, 80)
  const changes = Array.from({ length: 80 }, () => asAcme('PATCH', path, { title: 'changed' }))
  const hanging = reads.length + changes.length
  await until(() => door.held().length === hanging)
  t.equal((await stop()).statusCode, 200)
  t.notOk(isLive())
  t.equal(door.held().length, hanging, 'none of the others had been answered')
  t.equal(simulator.journal.length, before + 1)
  t.strictSame(new Set(await letGo(world, [...reads, ...changes])), new Set([200]))
})

t.test('with as many reads of its tenant in flight as may be a stop is answered before any of them', async t => {
  const world = await onAirBehindDoor(t, { config: patient, slowDisk: true })
  const { stop, isLive, door } = world
  door.hold('GET')
  let answered = 0
  const reads = pagesOf(world, 1_000)
  for (const read of reads) read.then(() => answered++)
  // Beyond the tenant's share of the connections they are refused at once.
  await until(() => door.held().length + answered === 1_000)
  const refused = answered
  t.ok(door.held().length > 200)
  t.equal((await stop()).statusCode, 200)
  t.notOk(isLive())
  t.equal(answered, refused, 'none of those that hang was answered')
  const statuses = await letGo(world, reads)
  t.equal(statuses.filter(status => status === 200).length, 1_000 - refused)
  t.equal(statuses.filter(status => status === 503).length, refused)
})

t.test('a stop under a key goes out while the store is locked; its answer is kept when the store is back', async t => {
  const world = await onAir(t)
  const { stop, isLive, storeFile } = world
  const key = { 'idempotency-key': randomUUID() }
  const unlock = lockStore(storeFile)
  const reply = await stop(key)
  unlock()
  t.equal(reply.statusCode, 200)
  t.notOk(isLive())
  t.ok(await isReplayed(world, key, reply))
})

t.test('a stop under a key goes out although nobody can look up its key, or write anything down', async t => {
  const world = await onAir(t)
  const { stop, isLive, storeFile, asAcme, meeting } = world
  const key = { 'idempotency-key': randomUUID() }
  const repair = breakOperations(storeFile)
  const start = await asAcme('POST', `/v2/meetings/${meeting}/livestreams`, {}, key)
  t.match(start.json().error, { code: 503, type: 'store_unavailable', outcome: 'not_sent' })
  const reply = await stop(key)
  repair()
  t.equal(reply.statusCode, 200)
  t.notOk(isLive())
  t.ok(await isReplayed(world, key, reply))
})

/** As soon as what could not be written is, the same call again is answered from the store. */
async function isReplayed({ stop, stopsSent, store }: Awaited<ReturnType<typeof onAir>>, key: Headers, first: Reply) {
  const done = store.sql.selectFrom('operations').select('id').where('kind', '=', 'stop').where('state', '=', 'done')
  await until(async () => (await store.engine.read(done.compile())).length === 1)
  const again = await stop(key)
  return again.headers['idempotency-replayed'] === 'true' && again.body === first.body && stopsSent() === 1
}

/** The table is not there until the store is repaired: neither to be read nor to be written. */
function breakOperations(file: string): () => void {
  const rename = (from: string, to: string): void => {
    const database = new Database(file)
    database.exec(`ALTER TABLE ${from} RENAME TO ${to}`)
    database.close()
  }
  rename('operations', 'operations_away')
  return () => rename('operations_away', 'operations')
}

t.test('a stop that was answered while its intent still waited to be written down ends as done', async t => {
  const { stop, storeFile, store, events, door } = await onAirBehindDoor(t)
  const unlock = lockStore(storeFile)
  door.hold('POST')
  const stopping = stop({ 'x-request-id': 'blind' })
  await until(() => door.held().length === 1)
  unlock()
  door.release()
  t.equal((await stopping).statusCode, 200)
  const row = store.sql.selectFrom('operations').select('state').where('request_id', '=', 'blind')
  await until(async () => (await store.engine.read(row.compile())).length === 1)
  await events()
  t.strictSame(await store.engine.read(row.compile()), [{ state: 'done' }])
  const outcomes = (await events()).filter(({ metadata }) => metadata.correlation_uid === 'blind')
  t.strictSame(
    outcomes.map(({ unmapped }) => unmapped.outcome),
    ['pending', 'done']
  )
})
