import t from 'tap'
import { UpstreamUnreachable } from '../../../src/domain/refusals/failures.ts'
import { auditTrailIn } from '../../../src/lifecycle/operations/audit-trail.ts'
import type { Mutation } from '../../../src/lifecycle/operations/mutation.ts'
import { WriteBehind } from '../../../src/lifecycle/operations/write-behind.ts'
import { type Engine, StoreError } from '../../../src/store/engine/engine.ts'
import { auditEventsIn } from '../../../src/store/tables/audit/audit-events.ts'
import { operationsIn } from '../../../src/store/tables/operations.ts'
import { manualClock } from '../../support/clock.ts'
import { callerOf, storeWithTenants } from '../../support/store/helper.ts'

/** An audit trail and its write-behind over a real store, in front of which the test stands. */
async function recording(t: Parameters<typeof storeWithTenants>[0]) {
  const { store } = await storeWithTenants(t)
  const { engine } = store
  const operations = operationsIn(store)
  const door: { write: Engine['write'] } = { write: engine.write }
  const writeBehind = new WriteBehind({
    engine: { write: (...args) => door.write(...args) },
    onTrouble() {},
    retryAfterMs: 3_600_000
  })
  t.teardown(() => writeBehind.close())
  const auditTrail = auditTrailIn({
    engine: { write: (...args) => writeBehind.write(...args) },
    operations,
    auditEvents: auditEventsIn(store),
    writeBehind,
    reconcileLater() {},
    forget() {},
    unstored: { tell() {}, stored() {} },
    clock: manualClock(),
    writeWithinMs: 250
  })
  const rows = store.sql.selectFrom('operations').select(['kind', 'state']).orderBy('ordinal')
  const open = operations.unconfirmedStops
  return { door, engine, writeBehind, auditTrail, open, order: () => engine.read(rows.compile()) }
}

const of = { caller: callerOf(), upstream: 'default', meetingId: 'm1' }
const start: Mutation = { ...of, kind: 'start' }
const stop: Mutation = { ...of, kind: 'stop', goesOn: true }
const done = async () => ({ value: 'done', data: null, status: 200 })
const away = () => Promise.reject(new StoreError('locked'))

t.test('a start is not sent before a stop that waits to be written down has its place', async t => {
  const { door, engine, writeBehind, auditTrail, order } = await recording(t)
  door.write = away
  t.equal(await auditTrail.around(stop, done), 'done')
  t.equal(writeBehind.waiting, 2)

  const refused = await auditTrail.around(start, async () => t.fail('it was sent') as never).catch(error => error)
  t.match(refused, { type: 'audit_unavailable', status: 503, outcome: 'not_sent' })

  // The store is back, but only for what is newest: what is older must be there first.
  let written = 0
  door.write = (...args) => (++written > 1 ? engine.write(...args) : away())
  const early = await auditTrail.around(start, async () => t.fail('it was sent') as never).catch(error => error)
  t.match(early, { type: 'audit_unavailable', outcome: 'not_sent' })

  door.write = engine.write
  t.equal(await auditTrail.around(start, done), 'done')
  t.equal(writeBehind.waiting, 0)
  t.strictSame(await order(), [
    { kind: 'stop', state: 'done' },
    { kind: 'start', state: 'done' }
  ])
})

t.test('a start is not written before a record that takes longer than it may, should that fail after all', async t => {
  const { door, engine, auditTrail, order } = await recording(t)
  const hanging = Promise.withResolvers<never>()
  door.write = () => {
    door.write = engine.write
    return hanging.promise
  }
  t.equal(await auditTrail.around(stop, done), 'done')
  const refused = await auditTrail.around(start, async () => t.fail('it was sent') as never).catch(error => error)
  t.match(refused, { type: 'audit_unavailable', outcome: 'not_sent' })
  const starting = auditTrail.around(start, done)
  hanging.reject(new StoreError('the disk is gone'))
  t.equal(await starting, 'done')
  t.strictSame(await order(), [
    { kind: 'stop', state: 'done' },
    { kind: 'start', state: 'done' }
  ])
})

for (const [what, inTime] of [
  ['a stop', 0],
  ['the outcome of a stop', 1]
] as const)
  t.test(`a question what is open waits for ${what} that is still being written down`, async t => {
    const { door, engine, auditTrail, open } = await recording(t)
    const hanging = Promise.withResolvers<void>()
    let writes = 0
    door.write = async (...args) => {
      if (++writes > inTime) await hanging.promise
      return engine.write(...args)
    }
    const lost = () => Promise.reject(new UpstreamUnreachable({ outcome: 'unknown' }))
    t.match(await auditTrail.around(stop, lost).catch(error => error), { outcome: 'unknown' })
    t.match(await auditTrail.caughtUp().catch(error => error), { type: 'audit_unavailable', outcome: 'not_sent' })
    const ready = auditTrail.caughtUp()
    hanging.resolve()
    await ready
    t.match(await open({ id: 'm1', upstream: 'default' }), [{ kind: 'stop' }])
  })

t.test('a waiting record is tried once for all who come meanwhile', async t => {
  const { door, writeBehind, auditTrail } = await recording(t)
  door.write = away
  await auditTrail.around(stop, done)
  let tries = 0
  const locked = Promise.withResolvers<never>()
  door.write = () => {
    tries++
    return locked.promise
  }
  const flushes = Array.from({ length: 20 }, () => writeBehind.flush().catch(() => 'failed'))
  locked.reject(new StoreError('locked'))
  t.strictSame(new Set(await Promise.all(flushes)), new Set(['failed']))
  t.equal(tries, 1)
})
