import t, { type Test } from 'tap'
import { presets } from '../../src/domain/scope.ts'
import { meetingsIn } from '../../src/store/tables/meetings.ts'
import { allocatedBytes } from '../support/bench/allocations.ts'
import { countStoreCalls } from '../support/bench/store-calls.ts'
import { gateway, type World, type WorldOptions } from '../support/gateway.ts'
import { tally } from '../support/http/helper.ts'

interface Cost {
  vendorCalls: number
  lookUps: number
  commits: number
  auditEvents: number
}

/** The cost of work in things that can be counted: they are the same on every machine. */
async function costs(t: Test, options: WorldOptions) {
  const store = countStoreCalls(t)
  const world = await gateway(t, {
    threads: true,
    config: { auditReads: 'rollup', readTtlMs: 600_000, ...options.config }
  })
  // An owner would see the stream key, and each such read is an event of its own.
  const { call } = await world.withKey('acme', [...presets.operator])
  // On a slow disk a row of what was seen is written behind the answer: it belongs to the work that it came from.
  const written = async (): Promise<void> => {
    await world.flushAudit()
    await store.idle()
  }
  const cost = async (work: () => Promise<unknown>): Promise<Cost> => {
    await written()
    store.take()
    const before = world.upstream().length
    await work()
    await written()
    const { reads, commits } = store.take()
    return {
      vendorCalls: world.upstream().length - before,
      lookUps: reads.length,
      commits: commits.length,
      auditEvents: commits.flat().filter(sql => sql.startsWith('insert into "audit_events"')).length
    }
  }
  return { ...world, asOperator: call, cost, written }
}

/** One after another, each answered as it must be. */
async function times(t: Test, count: number, status: number, call: () => ReturnType<World['asAcme']>) {
  for (let i = 0; i < count; i++) {
    const { statusCode } = await call()
    if (statusCode !== status) t.fail(`told ${statusCode}`)
  }
}

const free: Cost = { vendorCalls: 0, lookUps: 0, commits: 0, auditEvents: 0 }

t.test('reads', async t => {
  const { meeting, asOperator, cost } = await costs(t, {})
  const active = `/v2/meetings/${meeting}/active-livestream`
  const start = () => asOperator('POST', `/v2/meetings/${meeting}/livestreams`)
  await times(t, 1, 201, start)
  const read = () => asOperator('GET', active)
  const first = await cost(() => times(t, 1, 200, read))
  t.strictSame(
    first,
    { ...free, commits: 1, auditEvents: 1 },
    'the first is on record; what it shows the start has said'
  )
  t.strictSame(await cost(() => times(t, 100, 200, read)), free, 'all others cost nothing outside of the process')
})

t.test('reads that are not shared', async t => {
  const { meeting, asOperator, cost, written, directory } = await costs(t, { config: { readTtlMs: 0 } })
  await times(t, 1, 201, () => asOperator('POST', `/v2/meetings/${meeting}/livestreams`))
  const read = () => asOperator('GET', `/v2/meetings/${meeting}/active-livestream`)
  await times(t, 1, 200, read)
  // The rows of the start are looked up once more after the memory has heard of them.
  await written()
  await directory.pull()
  await times(t, 1, 200, read)
  t.strictSame(await cost(() => times(t, 50, 200, read)), { ...free, vendorCalls: 50 }, 'one vendor call each')
})

t.test('reads with an event each', async t => {
  const { meeting, asOperator, cost } = await costs(t, { config: { auditReads: 'all' } })
  await times(t, 1, 201, () => asOperator('POST', `/v2/meetings/${meeting}/livestreams`))
  const read = () => asOperator('GET', `/v2/meetings/${meeting}/active-livestream`)
  await times(t, 1, 200, read)
  const together = () => Promise.all(Array.from({ length: 100 }, () => times(t, 1, 200, read)))
  const { commits, ...rest } = await cost(together)
  t.strictSame(rest, { vendorCalls: 0, lookUps: 0, auditEvents: 100 })
  t.ok(commits < 100, `not one fsync for each event: ${commits}`)
})

t.test('refusals', async t => {
  const readLimit = { calls: 1, seconds: 600, burst: 1 }
  const addressLimit = { calls: 1_000, seconds: 1, burst: 1_000 }
  const { meeting, asOperator, as, cost } = await costs(t, { config: { readLimit, addressLimit } })
  const active = `/v2/meetings/${meeting}/active-livestream`
  await asOperator('GET', active)
  for (const [status, call] of [
    [401, as('Bearer nobody')],
    [429, asOperator]
  ] as const) {
    const startedAtMs = performance.now()
    const { vendorCalls, lookUps, auditEvents } = await cost(() => times(t, 100, status, () => call('GET', active)))
    t.strictSame({ vendorCalls, lookUps }, { vendorCalls: 0, lookUps: 0 }, `a ${status} asks nobody`)
    const seconds = Math.ceil((performance.now() - startedAtMs) / 1_000)
    t.ok(auditEvents <= 11 * (seconds + 1), 'more than ten equal ones in a second are one event with a count')
  }
})

t.test('starts and stops', async t => {
  const { meeting, asOperator, cost } = await costs(t, {})
  const start = () => times(t, 1, 201, () => asOperator('POST', `/v2/meetings/${meeting}/livestreams`))
  const stop = () => times(t, 1, 200, () => asOperator('POST', `/v2/meetings/${meeting}/active-livestream/stop`))
  for (let i = 0; i < 3; i++) {
    // The ledger reads the meeting's runs with the outcome, and with a look that shows something.
    // The store is asked once for the owner of a new livestream; a run that was stopped a moment ago is asked for by its own id.
    // The first answer that names its meeting is kept, once: its start's own answer names none.
    const looks = { lookUps: i === 0 ? 5 : 6, vendorCalls: i === 0 ? 2 : 3, auditEvents: 2 }
    const { commits: ofStart, ...started } = await cost(start)
    t.strictSame(started, looks, 'a start looks, then sends, between two records')
    const { commits: ofStop, ...stopped } = await cost(stop)
    t.strictSame(stopped, { lookUps: 4, auditEvents: 2, vendorCalls: 1 }, 'a stop is sent between two records')
    // The news of a look is written behind the answer: alone, or with a record of the start or of the stop.
    const wanted = i === 1 ? 5 : 4
    t.ok(Math.abs(ofStart + ofStop - wanted) <= 1, `${ofStart} and ${ofStop} commits`)
  }
})

t.test('many starts at once share their commits', async t => {
  const { asOperator, cost, simulator, store, directory } = await costs(t, {})
  const ids = Array.from({ length: 32 }, () => simulator.addMeeting().id)
  await meetingsIn(store).assign('acme', 'default', ids, Date.now())
  await directory.pull()
  const startAll = async (): Promise<void> => {
    const replies = await Promise.all(ids.map(id => asOperator('POST', `/v2/meetings/${id}/livestreams`)))
    t.strictSame(tally(replies), { 201: ids.length })
  }
  const { commits, auditEvents } = await cost(startAll)
  t.equal(auditEvents, 2 * ids.length)
  t.ok(commits < 2 * ids.length, `not one fsync for each record: ${commits}`)
})

t.test('a read leaves less than 85 kB to the garbage collector', async t => {
  const readLimit = { calls: 1_000_000, seconds: 1, burst: 1_000_000 }
  const { app, meeting, withKey } = await gateway(t, {
    threads: true,
    config: { auditReads: 'rollup', readTtlMs: 600_000, readLimit }
  })
  const { key } = await withKey('acme', [...presets.operator])
  const active = `/v2/meetings/${meeting}/active-livestream`
  const headers = { authorization: `Bearer ${key}` }
  await app.inject({ method: 'POST', url: `/v2/meetings/${meeting}/livestreams`, headers })
  const reads = 3_000
  const readAll = async (): Promise<void> => {
    const told: Record<number, number> = {}
    for (let i = 0; i < reads; i++) {
      const { statusCode } = await app.inject({ method: 'GET', url: active, headers })
      told[statusCode] = (told[statusCode] ?? 0) + 1
    }
    t.strictSame(told, { 200: reads })
  }
  await readAll() // until it is compiled, code allocates more
  const bytes = Math.round((await allocatedBytes(readAll)) / reads)
  t.comment(`${bytes} bytes each`)
  t.ok(bytes < 85_000, `${bytes} bytes, with the injected request itself`)
})
