import t from 'tap'
import { operationsIn } from '../../../src/store/tables/operations.ts'
import { gatewayBehindDoor } from '../../support/broadcast/door.ts'
import { ledgerWorld, withLedger } from '../../support/ledger/world.ts'
import { until } from '../../support/until.ts'

// Each has a gateway of its own, and waits for it.
t.jobs = 4

t.test('a start and a stop of ours are a run from the start on to the confirmed stop', async t => {
  const { start, stop, look, runs, told, store } = await ledgerWorld(t)
  const { id: livestreamId } = (await start()).json().data
  const [begun] = await runs()
  t.match(begun, { livestreamId, status: 'invoked', endedAtMs: null })
  t.match(await operationsIn(store).find(begun?.operationId ?? ''), { kind: 'start', runId: begun?.id, livestreamId })
  await look()
  t.match(await runs(), [{ status: 'live', playbackUrl: /^https:/ }])
  await stop()
  t.match(await runs(), [{ status: 'ended', endedBy: 'tenant' }])
  // The vendor may be slow to show it: nothing is moved back, and nothing is told twice.
  await look()
  t.strictSame(await told(), ['starting', 'live', 'ended'])
  await start()
  t.match(await runs(), [{ status: 'ended' }, { status: 'invoked' }])
})

t.test('the row of a start stands before its first byte goes out', async t => {
  const { start, runs, door, meeting } = withLedger(await gatewayBehindDoor(t))
  door.hold('POST')
  const reply = start()
  await until(() => door.held().length > 0)
  t.match(await runs(), [{ status: 'starting', livestreamId: null, meetingId: meeting }])
  door.release()
  t.equal((await reply).statusCode, 201)
  t.match(await runs(), [{ status: 'invoked' }])
})

t.test('a start that the vendor refuses leaves a row that is over, and tells nobody', async t => {
  const { start, runs, told, simulator } = await ledgerWorld(t)
  simulator.failNext({ match: { method: 'POST' }, status: 403 })
  t.not((await start()).statusCode, 201)
  t.match(await runs(), [{ status: 'errored', livestreamId: null, endedBy: null }])
  t.strictSame(await told(), [])
})

t.test('a start that was refused since a browser was faster leaves the run to that', async t => {
  const { start, runs, told, door, simulator, meeting } = withLedger(
    await gatewayBehindDoor(t, { simulator: { startWhileLive: '409' } })
  )
  door.hold('POST')
  const reply = start()
  await until(() => door.held().length > 0)
  const { id: livestreamId } = simulator.startFromBrowser(meeting)
  door.release()
  t.equal((await reply).statusCode, 200)
  t.match(await runs(), [{ livestreamId, operationId: null, status: 'live' }])
  t.equal((await runs()).length, 1)
  t.strictSame(await told(), ['live'])
})

t.test('a start whose answer was lost is found, and so is its run', async t => {
  const { start, runs, told, simulator } = await ledgerWorld(t, { simulator: { liveAfterMs: 60_000 } })
  simulator.failNext({ match: { method: 'POST' }, hangUp: true, afterWork: true })
  t.equal((await start()).statusCode, 201)
  t.match(await runs(), [{ status: 'invoked', livestreamId: simulator.livestreams()[0]?.id }])
  t.strictSame(await told(), ['starting'])
})

t.test('a start of unknown outcome is `starting` until it is reconciled: begun, or come to nothing', async t => {
  for (const afterWork of [true, false]) {
    const config = { deadlineMs: 2_000 }
    const { start, runs, told, door, simulator } = withLedger(await gatewayBehindDoor(t, { config }))
    door.hold('POST')
    const reply = start()
    await until(() => door.held().length > 0)
    simulator.failNext({ match: { method: 'POST' }, hangUp: true, afterWork })
    const end = simulator.fail({ match: { method: 'GET' }, status: 503 })
    door.release()
    t.equal((await reply).json().error?.outcome, 'unknown')
    t.match(await runs(), [{ status: 'starting' }])
    end()
    await until(async () => (await runs())[0]?.status !== 'starting')
    t.match(await runs(), [
      afterWork ? { livestreamId: String, endedAtMs: null } : { status: 'errored', livestreamId: null }
    ])
    t.equal((await told()).length, afterWork ? 1 : 0)
  }
})

t.test('a stop that is repeated until it is confirmed ends the run then, by the tenant', async t => {
  const { start, stop, look, runs, simulator } = await ledgerWorld(t)
  await start()
  await look()
  simulator.failNext({ match: { method: 'POST' }, hangUp: true })
  t.not((await stop()).statusCode, 200)
  t.match(await runs(), [{ status: 'live' }])
  await until(async () => (await runs())[0]?.status === 'ended')
  t.match(await runs(), [{ endedBy: 'tenant' }])
})

t.test('a run that was over when the stop came was ended elsewhere', async t => {
  const { start, stop, look, runs, simulator } = await ledgerWorld(t)
  const { id } = (await start()).json().data
  await look()
  simulator.end(id)
  await stop()
  t.match(await runs(), [{ status: 'ended', endedBy: 'outside' }])
})
