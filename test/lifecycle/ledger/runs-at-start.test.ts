import t from 'tap'
import { takeOverRuns } from '../../../src/lifecycle/ledger/runs-at-start.ts'
import { livestreamsIn } from '../../../src/store/tables/livestreams.ts'
import { operationsIn } from '../../../src/store/tables/operations.ts'
import { ledgerOf } from '../../support/ledger/ledger.ts'
import { seen, sent, stopped } from '../../support/ledger/news.ts'
import { operationOf } from '../../support/store/helper.ts'

async function world(t: Parameters<typeof ledgerOf>[0]) {
  const world = await ledgerOf(t)
  const { store, ledger, runs, clock } = world
  const operations = operationsIn(store)
  const livestreams = livestreamsIn(store)
  const owner = { tenantId: 'acme', upstream: 'default', meetingId: 'm1' }
  return {
    ...world,
    operations,
    livestreams,
    observe: (id: string, status: string, more = {}) =>
      livestreams.observe({ ...owner, id, ...more }, { id, status }, clock.now()),
    adopt: () => takeOverRuns({ ledger, runs, operations, livestreams })
  }
}

t.test('runs that go on when the ledger is new have their rows from what was seen of them', async t => {
  const { adopt, observe, operations, store, rows, told: _, clock } = await world(t)
  const start = operationOf('acme', { id: 'op-1', livestreamId: 'ls-1', sentAtMs: 5_000 })
  const answer = { status: 201, body: { data: {} } }
  await store.engine.write([
    operations.sent(start),
    operations.ended('op-1', { state: 'done', livestreamId: 'ls-1', answer }, 6_000)
  ])
  await observe('ls-0', 'IDLE')
  await observe('ls-1', 'LIVE')
  await observe('ls-2', 'INVOKED')
  await observe('ls-3', 'INVOKED', { meetingId: null })
  await adopt()
  t.match(await rows(), [
    { livestreamId: 'ls-1', operationId: 'op-1', status: 'live', invokedAtMs: 5_000, deadlineAtMs: null },
    { livestreamId: 'ls-2', operationId: null, status: 'invoked', invokedAtMs: clock.now() }
  ])
  t.equal((await rows()).length, 2)
  await adopt()
  t.equal((await rows()).length, 2, 'the next start tells the ledger nothing again')
})

t.test('a run that the ledger knows to be over is not begun by what was seen of it before', async t => {
  const { adopt, observe, ledger, rows, clock } = await world(t)
  await observe('ls-1', 'LIVE')
  await ledger.note(seen(clock.now(), 'LIVE'))
  await ledger.note(stopped(clock.now()))
  clock.advance(90_000)
  await adopt()
  t.match(await rows(), [{ status: 'ended' }])
  t.equal((await rows()).length, 1)
})

t.test('the row of a start that was settled without the ledger is settled like it', async t => {
  const settled = [
    { state: 'done', answer: { status: 201, body: { data: {} } }, livestreamId: 'ls-1', becomes: 'invoked' },
    { state: 'done', answer: { status: 200, body: { data: {} } }, livestreamId: 'ls-1', becomes: 'errored' },
    { state: 'done', becomes: 'errored' },
    { state: 'failed', becomes: 'errored' },
    { state: 'unknown', becomes: 'starting' },
    { state: null, becomes: 'errored' }
  ] as const
  for (const { state, becomes, ...how } of settled) {
    const { adopt, operations, store, ledger, rows, clock } = await world(t)
    await store.engine.write(ledger.start(sent(clock.now()) as never).rows)
    const start = operations.sent(operationOf('acme', { id: 'op-1', runId: 'run of op-1' }))
    if (state !== null) await store.engine.write([start, operations.ended('op-1', { state, ...how }, clock.now())])
    await adopt()
    t.match(await rows(), [{ id: 'run of op-1', status: becomes }], `${state}`)
  }
})
