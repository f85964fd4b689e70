import t from 'tap'
import { type StopAgainDeps, stopAgain, type Unheeded } from '../../../src/lifecycle/broadcast/stop-again.ts'
import { type Engine, StoreError } from '../../../src/store/engine/engine.ts'
import { auditEventsIn } from '../../../src/store/tables/audit/audit-events.ts'
import { meetingId, reconciling, type TestContext } from '../../support/broadcast/reconciling.ts'

const unheeded: Unheeded = {
  meeting: { id: meetingId, tenantId: 'acme', upstream: 'default' },
  atMs: 3,
  dateMs: 5_000
}
const isWanted = async () => true

/** A stop that is asked for again, with the operations for later and the words of the log. */
async function asking(t: TestContext, how: Partial<StopAgainDeps> = {}) {
  const world = await reconciling(t)
  const { store, clock, operations, queue } = world
  const later: { id: string; sentAtMs: number }[] = []
  const said: string[] = []
  const again = stopAgain({
    ...{ engine: store.engine, operations, auditEvents: auditEventsIn(store), queue, clock },
    log: { error: (_facts, message) => said.push(message) },
    reconcileLater: ({ id }, sentAtMs) => later.push({ id, sentAtMs }),
    vendorNowMs: () => 7,
    ...how
  })
  return { ...world, again, later, said }
}

t.test('a stop that the gateway sends again is an open operation of its own, with its intent on record', async t => {
  const { again, later, operations, events } = await asking(t)
  t.equal(await again(unheeded, isWanted), true)
  const [stop] = await operations.unconfirmedStops({ id: meetingId, upstream: 'default' })
  t.match(stop, { kind: 'stop', state: 'unknown', keyId: 'gateway' })
  t.strictSame(
    later.map(({ id }) => id),
    [stop?.id]
  )
  t.match(await events(), [{ status_detail: 'still_live', unmapped: { outcome: 'pending' } }])
})

t.test('the second stop is dated by the confirmed one: a run that has begun since is not meant by it', async t => {
  const { again, later, operations } = await asking(t)
  await again(unheeded, isWanted)
  t.match(await operations.unconfirmedStops({ id: meetingId, upstream: 'default' }), [{ vendorAtMs: 6_000 }])
  t.match(later, [{ sentAtMs: 3 }])
  const other = await asking(t)
  await other.again({ ...unheeded, dateMs: null }, isWanted)
  t.match(
    await other.operations.unconfirmedStops({ id: meetingId, upstream: 'default' }),
    [{ vendorAtMs: 7 }],
    'where the vendor dated nothing'
  )
})

t.test('the second stop waits for its turn, and is not recorded when the run is over by then', async t => {
  const { again, queue, operations, events } = await asking(t)
  const go = Promise.withResolvers<void>()
  const before = queue.inTurn(`default/${meetingId}`, () => go.promise)
  let isOver = false
  const ours = again(unheeded, async () => !isOver)
  isOver = true
  go.resolve()
  t.equal(await ours, false)
  await before
  t.strictSame(await operations.unconfirmedStops({ id: meetingId, upstream: 'default' }), [])
  t.strictSame(await events(), [])
})

t.test('a meeting has one open stop of that kind, however often it is asked for', async t => {
  const { again, later, operations, events } = await asking(t)
  const answers = await Promise.all([1, 2, 3].map(() => again(unheeded, isWanted)))
  t.strictSame(answers, [true, true, true])
  t.equal((await operations.unconfirmedStops({ id: meetingId, upstream: 'default' })).length, 1)
  t.equal(later.length, 1)
  t.equal((await events()).length, 1)
})

t.test('while the outcome of a start is unknown nothing is stopped on its behalf', async t => {
  const { again, sent, later } = await asking(t)
  await sent('start')
  t.equal(await again(unheeded, isWanted), false)
  t.strictSame(later, [])
})

t.test('one that cannot be recorded is not sent, and whoever asked for it hears so', async t => {
  const engine: Pick<Engine, 'write'> = { write: () => Promise.reject(new StoreError('away')) }
  const { again, later, said } = await asking(t, { engine })
  t.equal(await again(unheeded, isWanted), false)
  t.strictSame(later, [])
  t.match(said, [/could not be recorded/])
})
