import t from 'tap'
import { stopAgain } from '../../src/lifecycle/stop-again.ts'
import { auditEventsIn } from '../../src/store/audit-events.ts'
import { type Engine, StoreError } from '../../src/store/engine.ts'
import { meetingId, settling } from './settling.ts'

const meeting = { id: meetingId, tenantId: 'acme', upstream: 'default' }

t.test('a stop that the gateway sends again is an open operation of its own, with its intent on record', async t => {
  const { store, clock, operations, events } = await settling(t)
  const later: string[] = []
  const again = stopAgain({
    ...{ engine: store.engine, operations, auditEvents: auditEventsIn(store), clock, log: { error() {} } },
    settleLater: ({ id }) => later.push(id),
    vendorAtMs: () => 7
  })
  t.equal(await again(meeting), true)
  const [stop] = await operations.unconfirmedStops(meetingId)
  t.match(stop, { kind: 'stop', state: 'unknown', keyId: 'gateway', vendorAtMs: 7 })
  t.strictSame(later, [stop?.id])
  t.match(await events(), [{ status_detail: 'still_live', unmapped: { outcome: 'pending' } }])
})

t.test('one that cannot be recorded is not sent, and whoever asked for it hears so', async t => {
  const { store, clock, operations } = await settling(t)
  const said: string[] = []
  const later: string[] = []
  const engine: Pick<Engine, 'write'> = { write: () => Promise.reject(new StoreError('away')) }
  const again = stopAgain({
    ...{ engine, operations, auditEvents: auditEventsIn(store), clock },
    log: { error: (_facts, message) => said.push(message) },
    settleLater: ({ id }) => later.push(id),
    vendorAtMs: () => null
  })
  t.equal(await again(meeting), false)
  t.strictSame(later, [])
  t.match(said, [/could not be recorded/])
})
