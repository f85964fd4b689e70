import t from 'tap'
import { limited } from '../../support/ends/limited.ts'
import { lockStore } from '../../support/faulty-store.ts'
import { until } from '../../support/until.ts'

t.jobs = 4

t.test('a run ends by its duration, is warned of before, and its stop is on record with its cause', async t => {
  const { clock, pass, start, last, told, isLive, stops, sentStops, look } = await limited(t)
  t.equal((await start({ max_duration_seconds: 90 })).statusCode, 201)
  t.match(await last(), { maxDurationSeconds: 90, endingBy: null })
  await look()
  await pass(29_000)
  t.strictSame(await told(), ['starting null', 'live null'])
  await pass(1_500)
  await until(async () => (await told()).length === 3)
  await pass(58_500)
  t.ok(isLive(), 'not before its time')
  clock.advance(1_500)
  await until(async () => (await last())?.status === 'ended')
  t.match(await last(), { endedBy: 'max_duration', endingBy: 'max_duration' })
  t.notOk(isLive())
  const events = ['starting null', 'live null', 'ending_soon max_duration', 'ended max_duration']
  t.strictSame(await told(), events)
  t.strictSame(await stops(), ['max_duration pending', 'max_duration done'])
  t.equal(sentStops(), 1)
})

t.test('a run whose end is put off after its warning is warned of again', async t => {
  const { start, last, told, asAcme, pass, look } = await limited(t)
  await start({ max_duration_seconds: 90 })
  await look()
  await pass(31_000)
  await until(async () => (await told()).length === 3)
  const path = `/gateway/runs/${(await last())?.id}`
  t.equal((await asAcme('PATCH', path, { max_duration_seconds: 600 })).statusCode, 200)
  await pass(510_000)
  await until(async () => (await told()).length === 4)
  const warning = 'ending_soon max_duration'
  t.strictSame(await told(), ['starting null', 'live null', warning, warning])
})

t.test('a start that names no duration has the usual one of its tenant, and no more than the longest', async t => {
  const { start, last, limit, asAcme, meeting } = await limited(t, { maxDurationSeconds: 120 })
  const refusal = await start({ max_duration_seconds: 121 })
  t.equal(refusal.statusCode, 400)
  t.match(refusal.json().error, {
    type: 'invalid_input',
    details: [{ field: 'body.max_duration_seconds', message: 'must be <= 120, the longest run of this tenant' }]
  })
  for (const max_duration_seconds of [9, 0, -1, 1.5, '60', null, 2_592_001])
    t.equal((await start({ max_duration_seconds })).statusCode, 400, String(max_duration_seconds))
  await start()
  t.match(await last(), { maxDurationSeconds: 120 })
  await asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)
  await limit({ defaultDurationSeconds: 60 })
  await start()
  t.match(await last(), { maxDurationSeconds: 60, status: 'invoked' })
})

t.test('a start that joins a run, or finds it live, may shorten it after a warning, and never extends it', async t => {
  const { start, last, clock, pass } = await limited(t)
  await start({ max_duration_seconds: 1_000 })
  const begunAtMs = (await last())?.createdAtMs ?? 0
  t.equal((await start({ max_duration_seconds: 2_000 })).statusCode, 200)
  t.match(await last(), { maxDurationSeconds: 1_000, deadlineAtMs: begunAtMs + 1_000_000 })
  t.equal((await start({ max_duration_seconds: 500 })).statusCode, 200)
  t.match(await last(), { maxDurationSeconds: 500, deadlineAtMs: begunAtMs + 500_000 })
  await pass(100_000)
  t.equal((await start({ max_duration_seconds: 10 })).statusCode, 200)
  const deadlineAtMs = (await last())?.deadlineAtMs ?? 0
  t.ok(Math.abs(deadlineAtMs - clock.now() - 60_000) < 100, 'its tenant is warned first')
  t.equal((await start()).statusCode, 200)
  t.equal((await last())?.deadlineAtMs, deadlineAtMs)
})

t.test('a run that goes on with no picture ends when it was INVOKED for too long', async t => {
  const { clock, pass, start, last, stops, told } = await limited(t, {}, { simulator: { liveAfterMs: 3_600_000 } })
  await start()
  await pass(841_000)
  await until(async () => (await told()).includes('ending_soon never_live'))
  t.match(await last(), { status: 'invoked' })
  clock.advance(60_000)
  await until(async () => (await last())?.status === 'ended')
  t.match(await last(), { endedBy: 'never_live' })
  t.strictSame(await stops(), ['never_live pending', 'never_live done'])
})

t.test('a run with video from an encoder may wait for it, and has no meeting to end with', async t => {
  const { pass, start, last } = await limited(t, {}, { simulator: { liveAfterMs: 3_600_000 } })
  await start({ manual_ingest: true })
  t.match(await last(), { isManual: true })
  await pass(3_000_000)
  t.match(await last(), { status: 'invoked', endingBy: null })
})

t.test('so may a run with video from an encoder that was found here', async t => {
  const { pass, look, last, simulator, meeting } = await limited(t, {}, { simulator: { liveAfterMs: 36_000_000 } })
  simulator.joinMeeting(meeting)
  simulator.startFromBrowser(meeting, { manualIngest: true })
  const reply = await look()
  t.notHas(reply.json().data, { manual_ingest: true }, 'no caller is shown what no document has')
  await until(async () => (await last())?.isManual === true)
  simulator.endMeeting(meeting)
  for (let minutes = 0; minutes < 60; minutes += 20) await pass(1_200_000)
  t.match(await last(), { operationId: null, status: 'invoked', endingBy: null, meetingSessionId: null })
})

t.test('a run that was found here, and is never on air, ends like one that was started', async t => {
  const { pass, look, last, simulator, meeting } = await limited(t, {}, { simulator: { liveAfterMs: 36_000_000 } })
  simulator.startFromBrowser(meeting)
  await look()
  await pass(901_000)
  await until(async () => (await last())?.status === 'ended')
  t.match(await last(), { operationId: null, endedBy: 'never_live' })
})

t.test('a run that was found here ends too, and never at once', async t => {
  const { clock, simulator, meeting, last, look } = await limited(t, { maxDurationSeconds: 60 })
  simulator.startFromBrowser(meeting)
  await look()
  await until(async () => (await last())?.deadlineAtMs != null)
  const leftMs = Number((await last())?.deadlineAtMs) - clock.now()
  t.ok(leftMs > 600_000 && leftMs <= 660_000, String(leftMs))
  clock.advance(661_000)
  await until(async () => (await last())?.status === 'ended')
  t.match(await last(), { operationId: null, endedBy: 'max_duration' })
})

t.test(
  'a limit that is lowered leaves what runs its warning and ten minutes, and one that is raised leaves its end',
  async t => {
    const { clock, pass, start, look, last, limit } = await limited(t, { maxDurationSeconds: 7_200 })
    await start()
    await look()
    await pass(3_600_000)
    await limit({ maxDurationSeconds: 60 })
    await until(async () => (await last())?.maxDurationSeconds === 60, 10_000)
    const deadlineAtMs = Number((await last())?.deadlineAtMs)
    t.ok(Math.abs(deadlineAtMs - clock.now() - 660_000) < 2_000)
    await limit({ maxDurationSeconds: 7_200 })
    await pass(0)
    t.equal((await last())?.deadlineAtMs, deadlineAtMs)
  }
)

t.test('a wall clock that is set by days ends nothing early, and nothing late', async t => {
  const { clock, pass, start, last, isLive } = await limited(t)
  await start({ max_duration_seconds: 600 })
  clock.step(3 * 86_400_000)
  await pass(500_000)
  t.ok(isLive())
  clock.step(-6 * 86_400_000)
  clock.advance(101_000)
  await until(async () => (await last())?.status === 'ended')
  t.match(await last(), { endedBy: 'max_duration' })
})

t.test('a run that has gone on air, which nobody has seen, is not stopped for being late', async t => {
  const { pass, start, last, isLive, stops, sentStops } = await limited(t)
  await start()
  t.match(await last(), { status: 'invoked' })
  await pass(901_000)
  await until(async () => (await stops()).length === 2)
  t.match(await last(), { status: 'live', endedAtMs: null })
  t.strictSame(await stops(), ['never_live pending', 'never_live failed'])
  t.ok(isLive())
  t.equal(sentStops(), 0)
  await pass(60_000)
  t.equal((await stops()).length, 2, 'it is not asked for again')
})

t.test('a stop that the store does not take is ordered again every two seconds, until it does', async t => {
  const { clock, pass, start, look, last, logs, isLive, stops, storeFile, passUntil } = await limited(
    t,
    {},
    { threads: true }
  )
  const refused = () => logs().split('the stop of a run could not be ordered').length - 1
  await start({ max_duration_seconds: 60 })
  await look()
  await until(async () => (await last())?.warnedForMs !== null)
  const unlock = lockStore(storeFile)
  clock.advance(61_000)
  await until(() => refused() === 1)
  await pass(1_500)
  t.equal(refused(), 1, 'not yet')
  clock.advance(1_000)
  await until(() => refused() === 2)
  t.ok(isLive())
  unlock()
  await passUntil(async () => (await last())?.status === 'ended')
  t.match(await last(), { endedBy: 'max_duration' })
  t.strictSame(await stops(), ['max_duration pending', 'max_duration done'])
})
