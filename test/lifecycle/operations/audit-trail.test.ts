import t from 'tap'
import { auditTrailIn } from '../../../src/lifecycle/operations/audit-trail.ts'
import type { Mutation } from '../../../src/lifecycle/operations/mutation.ts'
import { type Engine, type Statement, StoreError, UniqueViolation } from '../../../src/store/engine/engine.ts'
import { sqlFor } from '../../../src/store/schema/database.ts'
import { auditEventsIn } from '../../../src/store/tables/audit/audit-events.ts'
import { operationsIn } from '../../../src/store/tables/operations.ts'
import { manualClock } from '../../support/clock.ts'
import { callerOf } from '../../support/store/helper.ts'

/** An audit trail over a store whose writes the test answers one by one. */
function recording() {
  const writes: { statements: Statement[]; withinMs: number | undefined; answer: PromiseWithResolvers<never[]> }[] = []
  const engine: Engine = {
    dialect: 'sqlite',
    read: async () => [],
    scan: async () => [],
    async serve() {},
    write(statements, { withinMs } = {}) {
      const answer = Promise.withResolvers<never[]>()
      writes.push({ statements, withinMs, answer })
      return answer.promise
    },
    async check() {},
    async fold() {},
    async close() {}
  }
  const store = { engine, sql: sqlFor('sqlite'), close: () => engine.close() }
  const later: string[] = []
  const auditTrail = auditTrailIn({
    engine,
    operations: operationsIn(store),
    auditEvents: auditEventsIn(store),
    writeBehind: { add: statements => later.push(outcomeIn(statements)), behind() {}, caughtUp: async () => {} },
    reconcileLater() {},
    forget() {},
    unstored: { tell() {}, stored() {} },
    clock: manualClock(),
    writeWithinMs: 20
  })
  return { auditTrail, writes, later }
}

/** The audit event is the last of what waits in the write-behind. */
function outcomeIn(statements: Statement[]): string {
  const event = statements.at(-1)?.parameters.find(value => String(value).startsWith('{'))
  return JSON.parse(String(event)).unmapped.outcome
}

const caller = callerOf()
const start: Mutation = { caller, kind: 'start', upstream: 'default', meetingId: 'm' }
const stop: Mutation = { caller, kind: 'stop', upstream: 'default', meetingId: 'm', goesOn: true }

t.test(
  'an intent that is written late: the caller was refused, nothing was done, and the operation is closed',
  async t => {
    const { auditTrail, writes } = recording()
    const refusal = await auditTrail.around(start, async () => t.fail('nothing is done') as never).catch(error => error)
    t.match(refusal, { type: 'audit_unavailable', outcome: 'not_sent' })
    t.equal(writes[0]?.withinMs, 20, 'the store is told how long it may take')
    writes[0]?.answer.resolve([])
    await new Promise(setImmediate)
    const [closing] = writes[1]?.statements ?? []
    t.match(closing, { sql: /^update "operations"/, parameters: ['failed'] })
    writes[1]?.answer.reject(new StoreError('gone'))
  }
)

t.test('a stop does not wait for a slow store, and its record is not lost when the store gives up', async t => {
  const { auditTrail, writes, later } = recording()
  const stopping = auditTrail.around(stop, async () => ({ value: 'stopped', data: null, status: 200 }))
  t.equal(await stopping, 'stopped')
  t.strictSame(
    writes.map(({ withinMs }) => withinMs),
    [undefined, undefined],
    'it is recorded however late'
  )
  t.strictSame(later, [])
  for (const { answer } of writes) answer.reject(new StoreError('full'))
  await new Promise(setImmediate)
  t.strictSame(later, ['pending', 'done'])
})

t.test('the caller hears of the work when it fails and the failure cannot be recorded', async t => {
  const { auditTrail, writes, later } = recording()
  const running = auditTrail.around(start, async () => {
    throw new TypeError('a mistake of ours')
  })
  writes[0]?.answer.resolve([])
  await new Promise(setImmediate)
  writes[1]?.answer.reject(new StoreError('full'))
  await t.rejects(running, { message: 'a mistake of ours' })
  t.strictSame(later, ['unknown'], 'what broke on the way may have happened')
})

t.test('idle waits for what is under way, whoever has hung up', async t => {
  const { auditTrail, writes } = recording()
  const work = Promise.withResolvers<{ value: string; data: null; status: number }>()
  const running = auditTrail.around(start, () => work.promise)
  let idle = false
  const waiting = auditTrail.idle().then(() => {
    idle = true
  })
  writes[0]?.answer.resolve([])
  await new Promise(setImmediate)
  t.notOk(idle)
  work.resolve({ value: 'done', data: null, status: 201 })
  await new Promise(setImmediate)
  writes[1]?.answer.resolve([])
  t.equal(await running, 'done')
  await waiting
})

t.test('a start of a meeting whose start another process has open is refused, by the store itself', async t => {
  const { auditTrail, writes } = recording()
  const running = auditTrail.around(start, async () => t.fail('nothing is done') as never).catch(error => error)
  writes[0]?.answer.reject(new UniqueViolation('operations_open_start'))
  t.match(await running, { type: 'start_unsettled', status: 409 })
})
