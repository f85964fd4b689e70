import t from 'tap'
import type { Operation } from '../../../src/domain/operation.ts'
import { markInterrupted } from '../../../src/lifecycle/operations/mark-interrupted.ts'
import { auditEventsIn } from '../../../src/store/tables/audit/audit-events.ts'
import { operationsIn } from '../../../src/store/tables/operations.ts'
import { manualClock } from '../../support/clock.ts'
import { operationOf, storeWithTenants } from '../../support/store/helper.ts'

t.test('after a restart what was sent is unknown, and what a caller was told of a stop stands', async t => {
  const { store } = await storeWithTenants(t)
  const operations = operationsIn(store)
  const watched = operationOf('acme', { kind: 'stop', idempotency: { keyFingerprint: 'k', requestFingerprint: 'r' } })
  const sent = operationOf('acme', { kind: 'stop' })
  const answer = { status: 200, body: { data: { message: 'stopped' } } }
  await store.engine.write([
    operations.sent(watched),
    operations.ended(watched.id, { state: 'unknown', answer }, 2_000),
    operations.sent(sent)
  ])
  const auditEvents = auditEventsIn(store)
  const left: Operation[] = []
  const deps = { engine: store.engine, operations, auditEvents, clock: manualClock() }
  await markInterrupted(deps, operation => left.push(operation))
  t.match(left, [{ id: watched.id }, { id: sent.id }], 'both are looked after')
  t.match(await operations.findByKey('k'), { id: watched.id, state: 'unknown', answer })
  t.match(await operations.find(sent.id), { state: 'unknown', answer: null })
})
