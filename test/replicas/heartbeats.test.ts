import t, { type Test } from 'tap'
import type { Operation } from '../../src/domain/operation.ts'
import type { Clock } from '../../src/domain/values/clock.ts'
import { markInterrupted } from '../../src/lifecycle/operations/mark-interrupted.ts'
import { Ownership } from '../../src/lifecycle/operations/ownership.ts'
import { type Engine, StoreError, StoreMoved } from '../../src/store/engine/engine.ts'
import { claim, isServed } from '../../src/store/postgres/owner.ts'
import { openPostgres } from '../../src/store/postgres/postgres.ts'
import { sqlFor } from '../../src/store/schema/database.ts'
import type { Store } from '../../src/store/store.ts'
import { auditEventsIn } from '../../src/store/tables/audit/audit-events.ts'
import { type Operations, operationsIn } from '../../src/store/tables/operations.ts'
import { tenantsIn } from '../../src/store/tables/tenants.ts'
import { manualClock } from '../support/clock.ts'
import { noPostgres, postgresBin } from '../support/postgres/server.ts'
import { newDatabase, usePostgres } from '../support/postgres/stores.ts'
import { operationOf, refusalOf, tenantNamed } from '../support/store/helper.ts'

const deadlineMs = 10_000

/** Replicas of one database, whose clock and heartbeats the test holds. */
async function replicasOf(t: Test) {
  const home = await newDatabase()
  const clock = manualClock()
  const setUp = await openPostgres(home)
  await tenantsIn({ engine: setUp, sql: sqlFor('postgres'), close: setUp.close }).create(tenantNamed('acme'))
  await setUp.close()
  return {
    clock,
    async join() {
      const engine = await openPostgres(home)
      t.teardown(() => engine.close())
      const patience = { waitMs: 0, onWait() {}, monotonic: clock.monotonic, pause: async () => {} }
      const replica = await claim(home, engine, { ...patience, most: 3, deadlineMs, onTrouble() {} })
      const store = { engine, sql: sqlFor('postgres'), close: () => engine.close() }
      t.teardown(() => replica.release().catch(() => {}))
      return { engine, replica, store, operations: operationsIn(store) }
    },
    /** Time passes, in which these alone beat. */
    async pass(ms: number, ...beating: { replica: { beat(): Promise<void> } }[]) {
      for (let passed = 0; passed < ms; passed += 2_000) {
        clock.advance(2_000)
        for (const { replica } of beating) await replica.beat()
      }
    }
  }
}

/** Operations that this replica takes over now. */
async function takenBy(
  { engine, store, operations }: { engine: Engine; store: Store; operations: Operations },
  clock: Clock
): Promise<Operation[]> {
  const taken: Operation[] = []
  const deps = { engine, operations, auditEvents: auditEventsIn(store), clock }
  await markInterrupted(deps, operation => taken.push(operation))
  return taken
}

if (postgresBin === null) t.test('heartbeats of replicas', { skip: noPostgres }, t => t.end())
else {
  usePostgres()

  t.test('one of all leads, by its own clock, and another one as soon as it has ended', async t => {
    const { clock, join, pass } = await replicasOf(t)
    const first = await join()
    const second = await join()
    const begun: string[] = []
    second.replica.onLead(() => begun.push('second'))
    await first.replica.beat()
    t.match(first.replica.standing(), { liveReplicas: 2, ordinal: 0 })
    t.match(second.replica.standing(), { liveReplicas: 2, ordinal: 1 })
    t.strictSame([first.replica.leads(), second.replica.leads()], [true, false])
    clock.advance(6_499)
    t.ok(first.replica.leads())
    clock.advance(1)
    t.notOk(first.replica.leads(), 'half a second before the database lets another one lead')
    await pass(2_000, first, second)
    t.strictSame([first.replica.leads(), second.replica.leads()], [true, false])
    await first.replica.release()
    await second.replica.beat()
    t.strictSame([first.replica.leads(), second.replica.leads(), begun], [false, true, ['second']])
    t.match(second.replica.standing(), { liveReplicas: 1, ordinal: 0 })
  })

  t.test('one that is silent for 10 s and a deadline is taken over from, and comes back as another one', async t => {
    const { join, pass, clock } = await replicasOf(t)
    const leader = await join()
    const frozen = await join()
    const [start, stop] = [operationOf('acme'), operationOf('acme', { kind: 'stop' })]
    await frozen.engine.write([frozen.operations.sent(start), frozen.operations.sent(stop)])
    const before = frozen.replica.standing().id
    const ownership = new Ownership(frozen.replica)
    ownership.note(start, await frozen.operations.find(start.id))
    t.ok(ownership.isOurs(start))
    const takeOver = () => takenBy(leader, clock)

    await pass(10_000, leader)
    t.notOk(ownership.isOurs(start), 'nothing is sent for it any more')
    await pass(8_000, leader)
    t.strictSame(await takeOver(), [], 'not yet')
    await pass(4_000, leader)
    t.match(leader.replica.standing(), { liveReplicas: 2 })
    t.match(await takeOver(), [{ id: start.id }, { id: stop.id }])
    t.match(await leader.operations.find(start.id), { state: 'unknown', owner: leader.replica.standing().id })

    t.match(await refusalOf(frozen.engine.write([])), { constructor: StoreMoved })
    await frozen.replica.beat()
    t.not(frozen.replica.standing().id, before)
    t.notOk(frozen.engine.moved())
    t.notOk(ownership.isOurs(start), 'also after it came back')
    ownership.note(start, await frozen.operations.find(start.id))
    t.ok(ownership.isOthers(start))
    await frozen.engine.write([frozen.operations.ended(start.id, { state: 'done' }, clock.now())])
    t.match(await leader.operations.find(start.id), { state: 'done' }, 'it may still say what came of it')
  })

  t.test(
    'operations of a replica that has ended are taken over at once, and those of one that lives are not',
    async t => {
      const { join, pass, clock } = await replicasOf(t)
      const [leader, other, ended] = [await join(), await join(), await join()]
      const [kept, left] = [operationOf('acme', { meetingId: 'm1' }), operationOf('acme', { meetingId: 'm2' })]
      await other.engine.write([other.operations.sent(kept)])
      await ended.engine.write([ended.operations.sent(left)])
      await ended.replica.release()
      await pass(2_000, leader, other)
      t.match(await takenBy(leader, clock), [{ id: left.id, owner: leader.replica.standing().id }])
      t.match(await leader.operations.find(kept.id), { state: 'sent', owner: other.replica.standing().id })
      t.equal(clock.monotonic(), 2_000)
    }
  )

  t.test('nobody counts as silent for the time in which the database was away', async t => {
    const { join, pass, clock } = await replicasOf(t)
    const [leader, other] = [await join(), await join()]
    await pass(4_000, leader, other)
    clock.advance(60_000)
    await leader.replica.beat()
    await other.replica.beat()
    await pass(2_000, leader, other)
    t.match(leader.replica.standing(), { liveReplicas: 2 })
    t.equal(other.replica.standing().id, other.engine.writerId)
    t.notOk(other.engine.moved())
  })

  t.test('a gateway whose first heartbeat fails serves nothing', async t => {
    const home = await newDatabase()
    const engine = await openPostgres(home)
    t.teardown(() => engine.close())
    let writes = 0
    const write: typeof engine.write = (...args) => {
      writes += 1
      return writes === 2 ? Promise.reject(new StoreError('away')) : engine.write(...args)
    }
    const patience = { waitMs: 0, onWait() {}, monotonic: () => 0, onTrouble() {} }
    const failing = { ...engine, write }
    t.match(await refusalOf(claim(home, failing, patience)), { constructor: StoreError, reason: 'away' })
    t.notOk(await isServed(engine))
  })
}
