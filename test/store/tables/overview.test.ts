import t from 'tap'
import { operationsIn } from '../../../src/store/tables/operations.ts'
import { overviewOf } from '../../../src/store/tables/overview.ts'
import { operationOf, storeWithTenants } from '../../support/store/helper.ts'

t.test('open operations are counted by kind, the most first, each with its oldest', async t => {
  const { store } = await storeWithTenants(t)
  const operations = operationsIn(store)
  const { openOperations } = overviewOf(store)
  t.strictSame(await openOperations(), [])
  const stops = [7_000, 5_000, 6_000].map((sentAtMs, i) =>
    operationOf('acme', { id: `stop-${i}`, kind: 'stop', meetingId: `m-${i}`, sentAtMs })
  )
  const start = operationOf('acme', { id: 'start', meetingId: 'm-9', sentAtMs: 1_000 })
  const over = operationOf('acme', { id: 'over', meetingId: 'm-8', sentAtMs: 500 })
  await store.engine.write([...stops, start, over].map(operations.sent))
  await store.engine.write([operations.ended('over', { state: 'failed', livestreamId: null, answer: null }, 2_000)])
  t.strictSame(await openOperations(), [
    { kind: 'stop', total: 3, oldestSentAtMs: 5_000 },
    { kind: 'start', total: 1, oldestSentAtMs: 1_000 }
  ])
})
