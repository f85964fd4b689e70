import Fastify from 'fastify'
import { sql } from 'kysely'
import t from 'tap'
import { BoundedLog } from '../../../src/log/log-output.ts'
import { health } from '../../../src/routes/health.ts'
import type { StoreError } from '../../../src/store/engine/engine.ts'
import { nextRevision } from '../../../src/store/schema/database.ts'
import { manualClock } from '../../support/clock.ts'
import { gateway } from '../../support/gateway.ts'
import { isEnvelope } from '../../support/http/helper.ts'
import { until } from '../../support/until.ts'

t.test('without a key anybody learns whether the process answers and calls are welcome, and nothing else', async t => {
  const { as } = await gateway(t)
  const live = await as(null)('GET', '/livez')
  t.strictSame([live.statusCode, live.json()], [200, { status: 'ok' }])
  const ready = await as(null)('GET', '/readyz')
  t.strictSame([ready.statusCode, ready.json()], [200, { status: 'ready', degraded: [], warnings: [] }])
  t.equal((await as(null)('HEAD', '/readyz')).statusCode, 200)
  t.equal((await as(null)('POST', '/livez')).statusCode, 404)
})

t.test('before the start has finished nothing is ready, though the process answers', async t => {
  const app = Fastify()
  let ready = false
  health(app, { ready: () => ready, degraded: () => [], warnings: () => [] })
  t.equal((await app.inject('/livez')).statusCode, 200)
  const early = await app.inject('/readyz')
  t.strictSame([early.statusCode, early.json()], [503, { status: 'unready', degraded: [], warnings: [] }])
  ready = true
  t.equal((await app.inject('/readyz')).statusCode, 200)
})

t.test('a store that cannot be read is told of, and keeps nobody out for a minute; then only stops pass', async t => {
  const clock = manualClock()
  const { as, asAcme, meeting, store, directory } = await gateway(t, { clock })
  const readyz = async () => (await as(null)('GET', '/readyz')).json()
  t.equal((await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).statusCode, 201)
  // With a revision of its own: memory reads nothing again without one.
  const run = (statement: string) =>
    store.engine.write([nextRevision(store.sql), sql.raw(statement).compile(store.sql as never) as never])

  await directory.pull()
  await run('alter table tenants rename to away')
  t.match(await directory.pull().catch((error: StoreError) => error.reason), /no such table/)
  clock.advance(5_001)
  t.strictSame(await readyz(), { status: 'ready', degraded: ['store'], warnings: [] })
  t.equal((await asAcme('GET', `/v2/meetings/${meeting}/active-livestream`)).statusCode, 200)

  clock.advance(60_000)
  const refused = await asAcme('GET', `/v2/meetings/${meeting}/active-livestream`)
  t.ok(isEnvelope(refused, 503, 'store_unavailable'), 'a key that was revoked meanwhile must not live on')
  t.equal((await asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)).statusCode, 200)
  t.equal((await as(null)('GET', '/livez')).statusCode, 200)

  await run('alter table away rename to tenants')
  await directory.pull()
  t.strictSame(await readyz(), { status: 'ready', degraded: [], warnings: [] })
  t.equal((await asAcme('GET', '/v2/livestreams')).statusCode, 200)
})

t.test('an audit log that cannot be written is told of until it can', async t => {
  const { as, asAcme, store, events } = await gateway(t)
  const degraded = async () => (await as(null)('GET', '/readyz')).json().degraded.length > 0
  const run = (statement: string) => store.engine.write([sql.raw(statement).compile(store.sql as never) as never])

  await run('alter table audit_events rename to away')
  t.equal((await asAcme('GET', '/v2/livestreams', undefined, { 'x-request-id': 'kept' })).statusCode, 200)
  await t.resolves(until(degraded))
  t.equal((await as(null)('GET', '/readyz')).statusCode, 200, 'nobody takes away the gateway that holds the stops')
  await run('alter table away rename to audit_events')
  await t.resolves(until(async () => !(await degraded())))
  const kept = (await events()).filter(({ metadata }) => metadata.correlation_uid === 'kept')
  t.equal(kept.length, 1, 'and what could not be written is written then')
})

t.test('a stop that is open for more than ten seconds is warned of, until it has ended', async t => {
  const clock = manualClock()
  const { as, asAcme, meeting, simulator, directory } = await gateway(t, { clock })
  const warnings = async () => {
    await directory.pull()
    return (await as(null)('GET', '/readyz')).json().warnings
  }
  await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  const recover = simulator.fail({ match: { path: '/meetings/*/active-livestream/stop' }, status: 500 })
  const { error } = (await asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)).json()
  t.equal(error.outcome, 'unknown')
  clock.advance(10_000)
  t.strictSame(await warnings(), [])
  clock.advance(1)
  t.strictSame(await warnings(), ['open_stops'])
  recover()
  await until(async () => {
    clock.advance(100)
    return (await warnings()).length === 0
  })
})

t.test(
  'a log that cannot be written is a warning; what only it could keep is told of, and logged when it can be',
  async t => {
    let text = ''
    let full = true
    const logOutput = new BoundedLog({
      retryAfterMs: 10,
      sink(bytes, done) {
        if (full) return done(Object.assign(new Error('full'), { code: 'ENOSPC' }), 0)
        text += bytes
        done(null, bytes.length)
      }
    })
    const { as, asAcme, meeting, store, events } = await gateway(t, { logOutput })
    const readyz = async () => (await as(null)('GET', '/readyz')).json()
    const run = (statement: string) => store.engine.write([sql.raw(statement).compile(store.sql as never) as never])
    t.equal((await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).statusCode, 201)
    logOutput.write('{}\n')
    t.strictSame(await readyz(), { status: 'ready', degraded: [], warnings: ['log_output'] })

    await run('alter table audit_events rename to away')
    const stopped = await asAcme(
      'POST',
      `/v2/meetings/${meeting}/active-livestream/stop`,
      {},
      { 'x-request-id': 'kept' }
    )
    t.equal(stopped.statusCode, 200)
    t.strictSame(await readyz(), { status: 'ready', degraded: ['store', 'log'], warnings: ['log_output'] })
    full = false
    await until(async () => !(await readyz()).degraded.includes('log'))
    const logged = text.split('\n').filter(line => line.includes('"event":') && line.includes('"kept"'))
    t.ok(logged.length >= 2, 'the log has both events of the stop')
    t.strictSame((await readyz()).warnings, [])

    await run('alter table away rename to audit_events')
    await until(async () => (await readyz()).degraded.length === 0)
    const kept = (await events()).filter(({ metadata }) => metadata.correlation_uid === 'kept')
    t.strictSame(
      kept.map(({ unmapped }) => unmapped.outcome),
      ['pending', 'done'],
      'and the store has them too'
    )
  }
)
