import t from 'tap'
import type { LivestreamWithKey } from '../../../src/domain/livestream.ts'
import type { Operation } from '../../../src/domain/operation.ts'
import {
  LivestreamNotFound,
  NotOffered,
  UpstreamFailed,
  UpstreamTooLate
} from '../../../src/domain/refusals/failures.ts'
import { MeetingQueue } from '../../../src/lifecycle/broadcast/meeting-queue.ts'
import { Changes } from '../../../src/lifecycle/context.ts'
import { operationEnds } from '../../../src/lifecycle/operations/operation-ends.ts'
import { switchReconciler } from '../../../src/lifecycle/operations/reconcile-switch.ts'
import { auditEventsIn } from '../../../src/store/tables/audit/audit-events.ts'
import { livestreamsIn } from '../../../src/store/tables/livestreams.ts'
import { type OperationEnd, operationsIn } from '../../../src/store/tables/operations.ts'
import type { Upstreams } from '../../../src/upstream/provider.ts'
import { reconciling, runOf, sentOperation, type TestContext } from '../../support/broadcast/reconciling.ts'
import { manualClock } from '../../support/clock.ts'
import { gateway } from '../../support/gateway.ts'
import { refusalOf } from '../../support/store/helper.ts'
import { until } from '../../support/until.ts'

/** The reconciler over a real store, before a vendor that says what the test wants. */
async function world(t: TestContext) {
  const { store, clock, operations, livestreams, sent, events } = await reconciling(t)
  const asked: string[] = []
  const vendor = { answer: (): LivestreamWithKey => runOf('l1', { status: 'IDLE', meeting_id: null }) }
  const provider = {
    async setEnabled(id: string, enabled: boolean) {
      asked.push(`${enabled ? 'enable' : 'disable'} ${id}`)
      return vendor.answer()
    }
  }
  const owner = { id: 'l1', tenantId: 'acme', upstream: 'default', meetingId: null }
  await livestreams.observe(owner, { id: 'l1', status: 'INVOKED' }, clock.now())
  const changes = new Changes()
  const parts = { engine: store.engine, operations, auditEvents: auditEventsIn(store), clock }
  const reconcile = switchReconciler({
    ends: operationEnds({ ...parts, forget() {} }),
    operations,
    livestreams,
    upstreams: new Map([['default', { on: () => provider }]]) as unknown as Upstreams,
    ownerOf: livestreams.find,
    knownMeetings: { beforeChange: async known => known },
    queue: new MeetingQueue<never, never>(clock),
    changes,
    clock,
    deadline: () => AbortSignal.timeout(60_000)
  })
  const switched = (
    kind: 'enable_livestream' | 'disable_livestream',
    how: Partial<Operation> = {},
    end: OperationEnd = { state: 'unknown' }
  ) => sent(kind, { livestreamId: 'l1', meetingId: null, ...how }, end)
  return { store, clock, operations, livestreams, events, asked, vendor, changes, reconcile, switched }
}

t.test('a switch is sent again, and the confirmed livestream is kept, told and on record, without a key', async t => {
  const { reconcile, switched, operations, asked, events, livestreams, changes } = await world(t)
  const operation = await switched('disable_livestream')
  t.equal(await reconcile(operation), true)
  t.strictSame(asked, ['disable l1'])
  const settled = await operations.find(operation.id)
  t.match(settled, { state: 'done', livestreamId: 'l1', answer: { status: 200, body: { data: { id: 'l1' } } } })
  t.notMatch(JSON.stringify(settled), /stream_key/)
  t.match(await livestreams.find('acme', 'l1'), { status: 'IDLE' })
  t.ok(changes.of('default/l1') > 0, 'what was seen before is outdated')
  const [event] = await events()
  t.match(event, {
    api: { operation: 'disableLivestream' },
    unmapped: { outcome: 'done' },
    resources: [{ type: 'livestream', uid: 'l1' }]
  })
  t.equal(await reconcile(operation), true)
  t.equal(asked.length, 1, 'once it is known nobody is asked again')
})

t.test('while the vendor does not confirm it, it stays unknown', async t => {
  const { reconcile, switched, operations, vendor, events } = await world(t)
  const operation = await switched('enable_livestream')
  for (const failure of [UpstreamTooLate, UpstreamFailed]) {
    vendor.answer = () => {
      throw new failure()
    }
    await t.rejects(reconcile(operation), failure)
    t.equal((await operations.find(operation.id))?.state, 'unknown')
  }
  vendor.answer = () => runOf('l1', { meeting_id: 'another' })
  t.match(await refusalOf(reconcile(operation)), { type: 'upstream_malformed' })
  t.equal((await operations.find(operation.id))?.state, 'unknown', "another meeting's livestream confirms nothing")
  t.strictSame(await events(), [])
})

t.test('a later one that says the opposite ends it, and nothing is sent any more', async t => {
  for (const state of ['done', 'unknown'] as const) {
    const { reconcile, switched, operations, clock, asked } = await world(t)
    const first = await switched('disable_livestream')
    clock.advance(1)
    await switched('enable_livestream', {}, { state })
    t.equal(await reconcile(first), true)
    t.match(await operations.find(first.id), { state: 'failed', answer: { body: { error: { outcome: 'failed' } } } })
    t.strictSame(asked, [], state)
  }
})

t.test('a later one that says the same speaks for both, once it is known', async t => {
  const { reconcile, switched, operations, clock, asked } = await world(t)
  const first = await switched('disable_livestream')
  clock.advance(1)
  const second = await switched('disable_livestream')
  t.equal(await reconcile(first), false)
  t.strictSame(asked, [], 'of several the last is repeated')
  t.equal(await reconcile(second), true)
  t.equal(await reconcile(first), true)
  t.strictSame(asked, ['disable l1'])
  t.match((await operations.find(first.id))?.answer, (await operations.find(second.id))?.answer ?? {})
})

t.test('one that was refused, an earlier one, and one of another livestream end nothing', async t => {
  const { reconcile, switched, operations, clock, asked } = await world(t)
  await switched('enable_livestream', {}, { state: 'done' })
  clock.advance(1)
  const operation = await switched('disable_livestream')
  clock.advance(1)
  await switched('enable_livestream', {}, { state: 'failed' })
  await switched('enable_livestream', { livestreamId: 'l2' }, { state: 'done' })
  t.equal(await reconcile(operation), true)
  t.strictSame(asked, ['disable l1'])
  t.equal((await operations.find(operation.id))?.state, 'done')
})

t.test('one of two in the same millisecond is the later, whichever is asked', async t => {
  const { reconcile, switched, operations } = await world(t)
  const pair = [await switched('enable_livestream'), await switched('disable_livestream')]
  for (const one of pair) await reconcile(one)
  const states = await Promise.all(pair.map(async ({ id }) => (await operations.find(id))?.state))
  t.strictSame(states.sort(), ['done', 'failed'])
})

t.test('a livestream that the vendor, or the tenant, no longer has is given up', async t => {
  const gone = await world(t)
  const operation = await gone.switched('enable_livestream')
  gone.vendor.answer = () => {
    throw new LivestreamNotFound()
  }
  t.equal(await gone.reconcile(operation), true)
  t.match(await gone.operations.find(operation.id), { state: 'failed', answer: { status: 404 } })

  const lacking = await world(t)
  const neverOffered = await lacking.switched('enable_livestream')
  lacking.vendor.answer = () => {
    throw new NotOffered({ outcome: 'failed' })
  }
  t.equal(await lacking.reconcile(neverOffered), true)
  t.match(await lacking.operations.find(neverOffered.id), { state: 'failed', answer: { status: 501 } })

  const taken = await world(t)
  const theirs = await taken.switched('enable_livestream', { livestreamId: 'l9' })
  t.equal(await taken.reconcile(theirs), true)
  t.match(await taken.operations.find(theirs.id), { state: 'failed', answer: { status: 404 } })
  t.strictSame(taken.asked, [])
})

t.test('behind the answers: an unknown disabling is repeated until the vendor has confirmed it', async t => {
  const { asAcme, simulator, events } = await gateway(t)
  const { id } = (await asAcme('POST', '/v2/livestreams')).json().data
  const match = { method: 'PUT', path: `/livestreams/${id}/disable` }
  simulator.failNext([
    { match, hangUp: true },
    { match, status: 500 }
  ])
  const lost = await asAcme('PUT', `/v2/livestreams/${id}/disable`, undefined, { 'x-request-id': 'lost' })
  t.match(lost.json().error, { outcome: 'unknown' })
  const settled = async () => (await events()).filter(event => event.status_detail === 'settled')
  await until(async () => (await settled()).length > 0)
  t.equal((await asAcme('GET', `/v2/livestreams/${id}`)).json().data.livestream.disabled, true)
  t.match(await settled(), [{ metadata: { correlation_uid: 'lost' }, actor: { user: { type: 'Gateway' } } }])
  t.equal(simulator.journal.filter(({ method }) => method === 'PUT').length, 3)
})

t.test('an enabling overtakes an unknown disabling: it is never sent again', async t => {
  const { asAcme, simulator, events } = await gateway(t)
  const { id } = (await asAcme('POST', '/v2/livestreams')).json().data
  simulator.failNext({ match: { method: 'PUT' }, hangUp: true })
  t.equal((await asAcme('PUT', `/v2/livestreams/${id}/disable`)).statusCode, 502)
  t.equal((await asAcme('PUT', `/v2/livestreams/${id}/enable`)).statusCode, 200)
  await until(async () => (await events()).some(({ status_detail }) => status_detail === 'settled'))
  t.strictSame(
    simulator.journal.filter(({ method }) => method === 'PUT').map(({ target }) => target.split('/').at(-1)),
    ['disable', 'enable']
  )
})

t.test('a switch that was under way when the gateway ended is repeated by the next one', async t => {
  const { asAcme, simulator, store } = await gateway(t, {
    async before(store, simulator) {
      const { id } = simulator.addLivestream({ id: '7f0d3c52-1a54-4f5e-9c0e-3b6a5d6b7a01' })
      const owner = { id, tenantId: 'acme', upstream: 'default', meetingId: null }
      await livestreamsIn(store).observe(owner, { id, status: 'INVOKED' }, Date.now())
      const sent = sentOperation('disable_livestream', manualClock(), { livestreamId: id, meetingId: null })
      await store.engine.write([operationsIn(store).sent(sent)])
    }
  })
  const states = () => store.engine.read(store.sql.selectFrom('operations').select('state').compile())
  await until(async () => (await states())[0]?.state === 'done')
  const [livestream] = simulator.livestreams()
  t.equal((await asAcme('GET', `/v2/livestreams/${livestream?.id}`)).json().data.livestream.disabled, true)
})
