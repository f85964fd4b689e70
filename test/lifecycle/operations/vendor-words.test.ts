import t from 'tap'
import { type Outcome, UpstreamRefused } from '../../../src/domain/refusals/failures.ts'
import { auditTrailIn } from '../../../src/lifecycle/operations/audit-trail.ts'
import { auditEventsIn } from '../../../src/store/tables/audit/audit-events.ts'
import { operationsIn } from '../../../src/store/tables/operations.ts'
import { manualClock } from '../../support/clock.ts'
import { gateway } from '../../support/gateway.ts'
import { callerOf, eventOf, storeWithTenants } from '../../support/store/helper.ts'

const upstreamReason = 'Maximum number of concurrent livestreams reached'

t.test('the words of a refusal stand in the operation and in the event, whatever its outcome', async t => {
  const { store } = await storeWithTenants(t)
  const operations = operationsIn(store)
  const auditTrail = auditTrailIn({
    engine: store.engine,
    operations,
    auditEvents: auditEventsIn(store),
    writeBehind: { add() {}, behind() {}, caughtUp: async () => {} },
    reconcileLater() {},
    forget() {},
    unstored: { tell() {}, stored() {} },
    clock: manualClock()
  })
  const caller = callerOf()
  const outcomes: Outcome[] = ['failed', 'unknown', 'not_sent']
  for (const [i, outcome] of outcomes.entries()) {
    const refusal = new UpstreamRefused({ outcome, upstreamStatus: 400, upstreamReason })
    const start = { caller, kind: 'start', upstream: 'default', meetingId: `m${i}`, vendorAtMs: 1_234 } as const
    await auditTrail.around(start, () => Promise.reject(refusal)).catch(error => t.equal(error, refusal))
    const [operation] = (await operations.list({ limit: 10 })).filter(({ meetingId }) => meetingId === `m${i}`)
    t.match(operation, { reason: upstreamReason, upstreamStatus: 400, vendorAtMs: 1_234 }, outcome)
  }
  const rows = await store.engine.read(store.sql.selectFrom('audit_events').select('event').orderBy('seq').compile())
  const told = rows.map(({ event }) => JSON.parse(event).unmapped.upstream_reason)
  t.strictSame(
    told,
    outcomes.flatMap(() => [undefined, upstreamReason])
  )
})

t.test('no tenant reads them in its audit log', async t => {
  const { store, asAcme } = await gateway(t)
  const ending = { outcome: 'failed', status: 502, upstreamStatus: 400, upstreamReason } as const
  await store.engine.write([auditEventsIn(store).append(eventOf({}, ending, Date.now()))])
  const reply = await asAcme('GET', '/gateway/audit-events')
  t.match(reply.json().data, [
    { actor: { user: { uid: 'k1' } }, unmapped: { outcome: 'failed', upstream_status: 400 } }
  ])
  t.notMatch(reply.body, upstreamReason)
})

t.test('the words of a refusal that a look has explained are kept too, though its caller hears of success', async t => {
  const { asAcme, meeting, simulator, store, events } = await gateway(t)
  const words = (code: number, message: string) => ({
    status: code,
    body: { success: false, error: { code, message } }
  })
  simulator.failNext([
    { match: { method: 'GET' }, status: 404, body: {} },
    { match: { method: 'POST' }, ...words(409, 'A LIVESTREAMER is already running') }
  ])
  const { id } = simulator.startFromBrowser(meeting)
  t.equal((await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).statusCode, 200)
  simulator.end(id)
  simulator.failNext({ match: { method: 'POST' }, ...words(400, 'The livestream has not started yet') })
  t.equal((await asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)).statusCode, 200)
  const kept = await operationsIn(store).list({ limit: 10 })
  const told = (await events()).flatMap(({ unmapped }) => unmapped.upstream_reason ?? [])
  t.strictSame(kept.map(({ kind, reason, upstreamStatus }) => [kind, upstreamStatus, reason]).sort(), [
    ['start', 409, 'A LIVESTREAMER is already running'],
    ['stop', 400, 'The livestream has not started yet']
  ])
  t.strictSame(told, ['A LIVESTREAMER is already running', 'The livestream has not started yet'])
})
