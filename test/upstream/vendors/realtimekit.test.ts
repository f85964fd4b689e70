import t, { type Test } from 'tap'
import { systemClock } from '../../../src/domain/values/clock.ts'
import { createSimulator, type SimulatorOptions } from '../../../src/simulator/simulator.ts'
import { openUpstream } from '../../../src/upstream/account/open-upstream.ts'
import { realtimekitAccountOf } from '../../support/account.ts'
import { failureOf } from '../../support/upstream/vendor.ts'

const soon = () => AbortSignal.timeout(60_000)
const page = { pageNo: 1, perPage: 10 }

async function account(
  t: Test,
  options: SimulatorOptions = {},
  as: { token?: string; app?: string; account?: string } = {}
) {
  const simulator = await createSimulator({ vendor: 'realtimekit', liveAfterMs: 0, ...options })
  const upstream = openUpstream({
    account: realtimekitAccountOf({ ...simulator, ...as }),
    deadlineMs: 60_000,
    clock: systemClock
  })
  t.teardown(async () => {
    await upstream.close()
    await simulator.close()
  })
  const vendor = upstream.on({ tenantId: 'acme', priority: 'mutation' })
  return { simulator, upstream, vendor, meeting: simulator.addMeeting({}).id }
}

t.test('a livestream is started, found, listed and stopped as with Dyte, with a Bearer token', async t => {
  const { vendor, meeting, simulator } = await account(t)
  const started = await vendor.start(meeting, { name: 'friday' }, soon())
  t.match(started, { meeting_id: meeting, stream_key: String, ingest_server: /^rtmps:/ })
  t.match(await vendor.findActive(meeting, soon()), { id: started.id, status: 'LIVE' })
  t.match(await vendor.findLivestream(started.id, page, soon()), { livestream: { id: started.id } })
  t.match(await vendor.findActiveRun(started.id, soon()), { livestream: { id: started.id } })
  t.match((await vendor.findRuns(meeting, soon()))[0]?.livestream, { id: started.id })
  t.match(await vendor.stop(meeting, soon()), { stopped: true })
  t.equal(await vendor.findActive(meeting, soon()), null)
  t.match(await vendor.stop(meeting, soon()), { stopped: false })
  t.equal(simulator.journal[0]?.headers.authorization, `Bearer ${simulator.token}`)
})

t.test("a meeting's livestream is found without the path that was dropped", async t => {
  const { vendor, meeting, simulator } = await account(t)
  t.equal(await vendor.findOfMeeting(meeting, page, soon()), null)
  t.equal((await failureOf(vendor.findInMeeting(meeting, soon()))).type, 'not_offered_by_upstream')
  const { id } = await vendor.start(meeting, {}, soon())
  const found = await vendor.findOfMeeting(meeting, page, soon())
  t.match(found, { livestream: { id, meeting_id: meeting } })
  t.equal(found?.sessions.length, 1)
  t.ok(simulator.journal.every(({ target }) => !target.includes(`${meeting}/livestream?`)))
})

t.test('operations that the vendor has dropped are not offered, and used where they still answer', async t => {
  const gone = await account(t)
  const { id } = await gone.vendor.start(gone.meeting, {}, soon())
  const whom = { participant_ids: ['p1'] }
  for (const [what, call] of Object.entries({
    create: gone.vendor.createLivestream({}, soon()),
    disable: gone.vendor.setEnabled(id, false, soon()),
    reset: gone.vendor.resetStreamKey(id, soon()),
    mute: gone.vendor.onStage(gone.meeting, 'mute', whom, soon()),
    'mute all': gone.vendor.onWholeStage(gone.meeting, 'mute', {}, soon())
  })) {
    t.match(await failureOf(call), { type: 'not_offered_by_upstream', outcome: 'failed' }, what)
  }
  const read = await failureOf(gone.vendor.findRunsOfSession('s1', page, soon()))
  t.match(read, { type: 'not_offered_by_upstream', outcome: undefined })
  t.match(await failureOf(gone.vendor.onStage(gone.meeting, 'kick', whom, soon())), { type: 'participant_not_found' })

  const there = await account(t, { dropped: 'answer' })
  const independent = await there.vendor.createLivestream({ name: 'studio' }, soon())
  t.match(await there.vendor.setEnabled(independent.id, false, soon()), { disabled: true })
  t.match(await there.vendor.resetStreamKey(independent.id, soon()), { id: independent.id })
  t.equal(await there.vendor.findRunsOfSession('00000000-0000-4000-8000-000000000000', page, soon()), null)
})

t.test("the edge's refusals are never taken for answers about a meeting or a livestream", async t => {
  const token = 'made-up'
  for (const [as, options, type] of [
    [{ token }, {}, 'upstream_credentials_refused'],
    [{ token }, { badToken: '403' }, 'upstream_credentials_refused'],
    [{ account: '0'.repeat(32) }, {}, 'upstream_credentials_refused'],
    [{ app: '11111111-1111-4111-8111-111111111111' }, {}, 'upstream_refused']
  ] as const) {
    const { vendor, meeting, upstream } = await account(t, options, as)
    const name = JSON.stringify([as, options])
    t.match(await failureOf(vendor.findActive(meeting, soon())), { type, outcome: undefined }, name)
    t.match(await failureOf(vendor.findMeeting(meeting, soon())), { type }, name)
    t.match(await failureOf(vendor.start(meeting, {}, soon())), { type, outcome: 'not_sent' }, name)
    t.match(await failureOf(vendor.stop(meeting, soon())), { type, outcome: 'not_sent' }, name)
    t.equal(await upstream.verifyCredential(soon()), false, name)
  }
  const { upstream } = await account(t)
  t.equal(await upstream.verifyCredential(soon()), true)
})

t.test('the vendor is believed about the rest of its quota: it is never asked for more', async t => {
  const { vendor, meeting, simulator } = await account(t, { quota: '20/60' })
  let refused: Awaited<ReturnType<typeof failureOf>> | null = null
  for (let i = 0; i < 40 && refused === null; i++) {
    await vendor.findMeeting(meeting, soon()).catch(error => {
      refused = error
    })
  }
  t.match(refused, { type: 'upstream_budget_exhausted' })
  t.ok(simulator.journal.length >= 15, `${simulator.journal.length} of 20 were used`)
  t.ok(simulator.journal.every(({ status }) => status === 200))
})
