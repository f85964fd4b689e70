import t, { type Test } from 'tap'
import type { PostgresHome, StoreHome } from '../../src/domain/store-home.ts'
import { StoreMoved } from '../../src/store/engine/engine.ts'
import { claim, isServed } from '../../src/store/postgres/owner.ts'
import { openPostgres, type PostgresEngine } from '../../src/store/postgres/postgres.ts'
import { type Patience, ServedAlready } from '../../src/store/served/patience.ts'
import { says } from '../support/campaigns/trouble.ts'
import { gateway } from '../support/gateway.ts'
import { noPostgres, postgresBin } from '../support/postgres/server.ts'
import { databaseOf, newDatabase, sharedPostgres, usePostgres } from '../support/postgres/stores.ts'
import { refusalOf } from '../support/store/helper.ts'
import { until } from '../support/until.ts'
import { wayTo } from '../support/way.ts'

/** A gateway whose way to the server can be broken. */
async function overWay(t: Test) {
  const { port } = await sharedPostgres()
  const way = await wayTo(port)
  t.teardown(() => way.close())
  const config: { home?: StoreHome } = {}
  const world = await gateway(t, {
    config,
    async before(_store, _simulator, folder) {
      config.home = { ...(await databaseOf(`${folder}/livegate.db`)), port: way.port }
    }
  })
  const { asAcme, asGlobex, meeting, otherMeeting } = world
  const degraded = async () => (await world.as(null)('GET', '/readyz')).json().degraded
  return {
    ...world,
    way,
    degraded,
    start: () => asAcme('POST', `/v2/meetings/${meeting}/livestreams`),
    startOther: () => asGlobex('POST', `/v2/meetings/${otherMeeting}/livestreams`),
    stop: () => asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`),
    look: () => asAcme('GET', `/v2/meetings/${meeting}/active-livestream`),
    told: async () => (await world.events()).map(({ api, unmapped }) => `${api.operation} ${unmapped.outcome}`)
  }
}

if (postgresBin === null) t.test('a server of PostgreSQL that fails', { skip: noPostgres }, t => t.end())
else {
  usePostgres()
  const failing = {
    'is away': (way: Awaited<ReturnType<typeof wayTo>>) => ({ begin: () => way.down(), end: () => way.up() }),
    'stands still': (way: Awaited<ReturnType<typeof wayTo>>) => ({
      begin: async () => way.freeze(),
      end: async () => way.letOn()
    })
  }
  for (const [how, failure] of Object.entries(failing)) {
    t.test(
      `a server that ${how}: reads and stops go on, nothing is started, and all is on record afterwards`,
      async t => {
        const { way, start, startOther, stop, look, degraded, told, simulator, upstream } = await overWay(t)
        const { begin, end } = failure(way)
        t.equal((await start()).statusCode, 201)
        t.equal((await look()).statusCode, 200)
        await begin()
        const before = upstream().filter(call => call.startsWith('POST')).length
        t.match(says(await startOther()), /^503 (audit|store)_unavailable not_sent$/)
        t.equal((await look()).statusCode, 200)
        t.equal(upstream().filter(call => call.startsWith('POST')).length, before)
        t.equal((await stop()).statusCode, 200)
        t.equal(simulator.livestreams().filter(({ status }) => status === 'LIVE').length, 0)
        await until(async () => (await degraded()).includes('store'))
        await end()
        await until(async () => (await degraded()).length === 0)
        t.equal((await startOther()).statusCode, 201)
        const events = await told()
        t.equal(events.filter(one => one === 'stopLivestream pending').length, 1)
        t.equal(events.filter(one => one === 'stopLivestream done').length, 1)
        t.equal(events.filter(one => one === 'startLivestream done').length, 2)
      }
    )
  }

  /** Time that passes as fast as somebody waits for it. */
  const patienceOf = (waitMs: number) => {
    let nowMs = 0
    let waits = 0
    return {
      waitMs,
      onWait: () => {
        waits += 1
      },
      monotonic: () => nowMs,
      pause: async (ms: number) => {
        nowMs += ms
      },
      waits: () => waits
    }
  }
  /** Claims a store for as long as the test lasts. A beat that fails is what some of them are about. */
  const claimed = async (t: Test, home: PostgresHome, engine: PostgresEngine, patience: Patience) => {
    const owner = await claim(home, engine, { ...patience, onTrouble() {} })
    t.teardown(() => owner.release().catch(() => {}))
    return owner
  }

  t.test('one gateway serves a store: one that lives is left alone, one that is silent is taken over from', async t => {
    const home = await newDatabase()
    const [first, second, third] = await Promise.all([openPostgres(home), openPostgres(home), openPostgres(home)])
    t.teardown(() => Promise.all([first, second, third].map(engine => engine.close())))
    t.notOk(await isServed(first))
    await claimed(t, home, first, patienceOf(0))
    t.ok(await isServed(second))

    const patience = patienceOf(0)
    const beating = {
      ...patience,
      pause: async (ms: number) => void (await Promise.all([patience.pause(ms), first.write([])]))
    }
    t.match(await refusalOf(claimed(t, home, second, beating)), {
      constructor: ServedAlready,
      reason: /one store, one gateway/
    })
    t.equal(patience.waits(), 1)
    await first.write([])

    const silent = patienceOf(9_000)
    const owner = await claimed(t, home, second, silent)
    t.equal(silent.monotonic(), 6_000)
    const late = await refusalOf(first.write([]))
    t.match(late, { constructor: StoreMoved, reason: /another gateway has taken this store over/ })
    t.ok(first.moved())
    t.match(await refusalOf(first.check()), { constructor: StoreMoved })
    await second.write([])

    await owner.release()
    t.notOk(await isServed(third))
    const next = patienceOf(0)
    await claimed(t, home, third, next)
    t.equal(next.waits(), 0, 'one that has ended is not waited for')
  })

  t.test('one of three that begin at once serves the store', async t => {
    const home = await newDatabase()
    const engines = await Promise.all([1, 2, 3].map(() => openPostgres(home)))
    t.teardown(() => Promise.all(engines.map(engine => engine.close())))
    let looked = 0
    const { promise: allHaveLooked, resolve } = Promise.withResolvers<void>()
    /** Each has seen that no gateway serves the store before one of them claims it. */
    const together = (engine: PostgresEngine): PostgresEngine => ({
      ...engine,
      async read(statement) {
        const rows = await engine.read(statement)
        looked += 1
        if (looked === engines.length) resolve()
        await allHaveLooked
        return rows as never
      }
    })
    const claims = await Promise.allSettled(engines.map(engine => claimed(t, home, together(engine), patienceOf(0))))
    t.equal(claims.filter(({ status }) => status === 'fulfilled').length, 1)
    const late = claims.flatMap(claim => (claim.status === 'rejected' ? [claim.reason] : []))
    for (const reason of late) t.match(reason, { constructor: ServedAlready, reason: /has just begun to serve/ })
  })
}
