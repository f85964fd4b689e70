import t from 'tap'
import { auditTrailIn } from '../../../src/lifecycle/operations/audit-trail.ts'
import type { Mutation } from '../../../src/lifecycle/operations/mutation.ts'
import { type Engine, StoreError } from '../../../src/store/engine/engine.ts'
import { sqlFor } from '../../../src/store/schema/database.ts'
import { auditEventsIn } from '../../../src/store/tables/audit/audit-events.ts'
import { operationsIn } from '../../../src/store/tables/operations.ts'
import { manualClock } from '../../support/clock.ts'
import { callerOf } from '../../support/store/helper.ts'

const never = new Promise<never>(() => {})
const engine: Engine = {
  dialect: 'sqlite',
  read: () => never,
  scan: () => never,
  async serve() {},
  write: () => never,
  check: () => never,
  async fold() {},
  async close() {}
}
const store = { engine, sql: sqlFor('sqlite'), close: () => engine.close() }
const added: unknown[] = []
const deps = {
  operations: operationsIn(store),
  auditEvents: auditEventsIn(store),
  writeBehind: { add: (transaction: unknown) => void added.push(transaction), behind() {}, caughtUp: async () => {} },
  reconcileLater() {},
  forget() {},
  unstored: { tell() {}, stored() {} },
  clock: manualClock(),
  writeWithinMs: 20
}
const { answered } = auditTrailIn({ ...deps, engine })
const idempotency = { keyFingerprint: 'k', requestFingerprint: 'r' }
let recorded = 0
const caller = callerOf({ idempotency, markAudited: () => (recorded += 1) })
const joined = { caller, upstream: 'default', meetingId: 'm' }
const answer = { status: 200, data: {} }

t.test('a stop that joined another does not wait for a store that hangs: its event is kept', async t => {
  const stop: Mutation = { ...joined, kind: 'stop', goesOn: true }
  await answered(stop, answer)
  t.equal(recorded, 1, 'nobody adds another behind the answer')
})

t.test('a start that joined another is refused when the store hangs, and hears that it sent nothing', async t => {
  const start: Mutation = { ...joined, kind: 'start' }
  const refusal = await answered(start, answer).catch(error => error)
  t.match(refusal, { type: 'audit_unavailable', outcome: 'not_sent' })
  t.equal(recorded, 1, 'the refusal is written behind the answer')
})

t.test(
  'a change by its own statements is unknown while the store hangs, since they may stand behind the answer',
  async t => {
    const change: Mutation = { ...joined, kind: 'set_webhook' }
    const statements = [store.sql.deleteFrom('meta').compile()]
    const refusal = await answered(change, { ...answer, statements }).catch(error => error)
    t.match(refusal, { type: 'audit_unavailable', outcome: 'unknown' })
    const refusing = { ...engine, write: () => Promise.reject(new StoreError('the disk is full')) }
    const failed = auditTrailIn({ ...deps, engine: refusing }).answered(change, { ...answer, statements })
    t.match(await failed.catch(error => error), { outcome: 'not_sent' }, 'one that the store refused is none')
  }
)

t.test('a stop that joined another is answered when the store refuses its record, which is tried again', async t => {
  const refusing = { ...engine, write: () => Promise.reject(new StoreError('the disk is full')) }
  await auditTrailIn({ ...deps, engine: refusing }).answered({ ...joined, kind: 'stop', goesOn: true }, answer)
  t.equal(added.length, 1)
  t.equal(recorded, 2)
})
