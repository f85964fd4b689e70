import t from 'tap'
import { meetingsIn } from '../../../src/store/tables/meetings.ts'
import { ledgerWorld } from '../../support/ledger/world.ts'

t.test('a run that a browser has begun is known by each read of its meeting, and told of once', async t => {
  const { simulator, store, asAcme, told } = await ledgerWorld(t)
  for (const [i, path] of ['active-livestream', 'livestream'].entries()) {
    const { id } = simulator.addMeeting({ title: path })
    await meetingsIn(store).assign('acme', 'default', [id], Date.now())
    simulator.startFromBrowser(id)
    for (let times = 0; times < 2; times++) await asAcme('GET', `/v2/meetings/${id}/${path}`)
    t.strictSame(await told(), Array(i + 1).fill('live'), path)
  }
})

t.test('a run that a browser has begun anew is known by its session, however soon it came', async t => {
  for (const read of ['', '/active-livestream-session', 'analytics']) {
    const { simulator, meeting, asAcme, look, runs } = await ledgerWorld(t)
    const { id } = simulator.startFromBrowser(meeting)
    await look()
    simulator.end(id)
    await asAcme('GET', `/v2/livestreams/${id}`)
    t.match(await runs(), [{ status: 'ended', endedBy: 'outside', sessionId: String }])
    const again = simulator.startFromBrowser(meeting)
    t.equal(again.id, id)
    await asAcme('GET', read === 'analytics' ? '/v2/analytics/livestreams/overall' : `/v2/livestreams/${id}${read}`)
    const sessionId = again.sessions.at(-1)?.id
    t.match(await runs(), [{ status: 'ended' }, { status: 'live', sessionId, operationId: null }], read)
  }
})

t.test(
  'a list ends the runs that are over, and those of livestreams that the vendor does not have any more',
  async t => {
    const { simulator, meeting, asAcme, look, runs } = await ledgerWorld(t, { config: { settleMs: 1 } })
    const { id } = simulator.startFromBrowser(meeting)
    await look()
    simulator.end(id, 'ERRORED')
    await asAcme('GET', '/v2/livestreams')
    t.match(await runs(), [{ status: 'errored', endedBy: 'vendor_error' }])
    const second = simulator.startFromBrowser(meeting)
    await look()
    t.match(await runs(), [{ status: 'errored' }, { status: 'live', livestreamId: second.id }])
    simulator.fail({
      match: { method: 'GET', path: `/livestreams/${id}` },
      status: 404,
      body: { success: false, error: { code: 404, message: 'none' } }
    })
    await asAcme('GET', '/v2/livestreams')
    t.match(await runs(), [{}, { status: 'live', quietLooks: 1 }], 'one look is no proof')
  }
)

t.test('a livestream without a meeting is a run while it is on air', async t => {
  const { simulator, asAcme, runs } = await ledgerWorld(t)
  const { id } = (await asAcme('POST', '/v2/livestreams', { name: 'encoder' })).json().data
  await asAcme('GET', `/v2/livestreams/${id}`)
  t.strictSame(await runs(), [], 'it waits for its encoder')
  simulator.ingest(id)
  await asAcme('GET', `/v2/livestreams/${id}`)
  t.match(await runs(), [{ status: 'live', meetingId: null, livestreamId: id }])
  simulator.end(id)
  await asAcme('GET', `/v2/livestreams/${id}`)
  t.match(await runs(), [{ status: 'ended', endedBy: 'outside' }])
})

t.test('the times of a vendor whose clock is wrong are told by our clock', async t => {
  for (const clockOffsetMs of [-3_600_000, 3_600_000]) {
    const { simulator, meeting, asAcme, look, runs } = await ledgerWorld(t, { simulator: { clockOffsetMs } })
    const { id } = simulator.startFromBrowser(meeting)
    await look()
    simulator.end(id)
    await asAcme('GET', `/v2/livestreams/${id}`)
    const [run] = await runs()
    const agesMs = [run?.invokedAtMs, run?.endedAtMs].map(atMs => Date.now() - (atMs ?? 0))
    t.ok(
      agesMs.every(ageMs => ageMs >= 0 && ageMs < 60_000),
      `${agesMs}`
    )
  }
})

t.test('a look that finds nothing of a run, and the look of another tenant, end it for whom it was', async t => {
  const { simulator, meeting, look, runs, store, asGlobex, told } = await ledgerWorld(t)
  simulator.startFromBrowser(meeting)
  await look()
  const meetings = meetingsIn(store)
  await meetings.release(meeting, Date.now())
  await meetings.assign('globex', 'default', [meeting], Date.now())
  await asGlobex('GET', `/v2/meetings/${meeting}/active-livestream`)
  t.strictSame(await told(), ['live', 'ended', 'live'])
  t.strictSame(await runs(), [], 'acme has lost its meeting')
})

t.test('an encoder that sends the video is known to the ledger, and no answer has a word of it', async t => {
  const { simulator, meeting, asAcme, runs } = await ledgerWorld(t)
  const { id } = simulator.startFromBrowser(meeting, { manualIngest: true })
  for (const path of [`/v2/meetings/${meeting}/active-livestream`, `/v2/livestreams/${id}`, '/v2/livestreams']) {
    const { statusCode, body } = await asAcme('GET', path)
    t.equal(statusCode, 200)
    t.match(body, id)
    t.notMatch(body, 'manual_ingest')
  }
  t.match(await runs(), [{ livestreamId: id, isManual: true }])
})
