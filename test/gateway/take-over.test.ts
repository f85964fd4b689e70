import t from 'tap'
import type { Operation } from '../../src/domain/operation.ts'
import { takeOverWhileLeading } from '../../src/gateway/take-over.ts'
import { StoreError } from '../../src/store/engine/engine.ts'
import { auditEventsIn } from '../../src/store/tables/audit/audit-events.ts'
import { operationsIn } from '../../src/store/tables/operations.ts'
import { manualClock } from '../support/clock.ts'
import { operationOf, storeWithTenants } from '../support/store/helper.ts'
import { until } from '../support/until.ts'

t.test(
  'each that is taken over is looked after, whatever becomes of the next, and one whose answer was lost',
  async t => {
    const { store } = await storeWithTenants(t)
    const operations = operationsIn(store)
    const [first, second] = [operationOf('acme', { meetingId: 'm1' }), operationOf('acme', { meetingId: 'm2' })]
    await store.engine.write([operations.sent(first), operations.sent(second)])
    const added: string[] = []
    const troubles: object[] = []
    let beat = (): void => {}
    let writes = 0
    const end = takeOverWhileLeading({
      engine: {
        async write(statements) {
          const rows = await store.engine.write(statements)
          writes += 1
          if (writes === 2) throw new StoreError('the answer was lost')
          return rows
        }
      },
      operations: {
        ...operations,
        left: async () => (await operations.unsettled()).filter(({ state }) => state === 'sent')
      },
      auditEvents: auditEventsIn(store),
      clock: manualClock(),
      replicas: {
        onLead: () => () => {},
        onBeat: listener => {
          beat = listener
          return () => {}
        },
        standing: () => ({ id: null as unknown as string, liveReplicas: 1, ordinal: 0 })
      },
      reconcileLoop: { add: ({ id }) => void added.push(id) },
      resume: async () => {},
      log: { warn() {}, error: facts => void troubles.push(facts) }
    })
    beat()
    await until(() => troubles.length === 1)
    t.strictSame(added, [first.id])
    beat()
    await until(() => added.length > 1)
    await end()
    t.strictSame([...new Set(added)], [first.id, second.id])
  }
)

t.test('a replica that begins to lead looks after what others have left, and after webhooks once', async t => {
  const { store } = await storeWithTenants(t)
  const operations = operationsIn(store)
  const left = operationOf('acme', { kind: 'stop' })
  await store.engine.write([operations.sent(left)])
  const listeners = { lead: () => {}, beat: () => {} }
  const added: Operation[] = []
  const lines: unknown[] = []
  const log = { warn: (facts: object) => lines.push(facts), error: (facts: object) => lines.push(facts) }
  let resumed = 0
  let isAway = false
  const end = takeOverWhileLeading({
    engine: store.engine,
    operations,
    auditEvents: auditEventsIn(store),
    clock: manualClock(),
    replicas: {
      onLead: listener => {
        listeners.lead = listener
        return () => {}
      },
      onBeat: listener => {
        listeners.beat = listener
        return () => {}
      },
      standing: () => ({ id: '', liveReplicas: 1, ordinal: 0 })
    },
    reconcileLoop: { add: operation => void added.push(operation) },
    async resume() {
      if (isAway) throw new Error('away')
      resumed += 1
    },
    log
  })
  listeners.beat()
  await until(() => added.length === 1)
  t.match(added, [{ id: left.id }])
  t.match(await operations.find(left.id), { state: 'unknown' })
  t.match(lines, [{ event: 'operation_interrupted', operation: left.id }])
  t.equal(resumed, 0)

  isAway = true
  listeners.lead()
  listeners.beat()
  await until(() => lines.length > 1)
  t.match(lines[1], { event: 'take_over_failed' })
  isAway = false
  listeners.beat()
  await until(() => resumed === 1)
  listeners.beat()
  await end()
  t.equal(resumed, 1)
})
