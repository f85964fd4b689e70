import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import { LiveElsewhere, MeetingNotFound, UpstreamMalformed } from '../../../src/domain/refusals/failures.ts'
import { createSimulator, type Fault, type Simulator, type SimulatorOptions } from '../../../src/simulator/simulator.ts'
import type { Provider } from '../../../src/upstream/provider.ts'
import { failureOf, providerAt } from '../../support/upstream/vendor.ts'

const firstPage = { pageNo: 1, perPage: 10 }
const soon = (): AbortSignal => AbortSignal.timeout(60_000)

interface Account {
  provider: Provider
  simulator: Simulator
  meeting: string
}

async function account(t: Test, options: SimulatorOptions = {}): Promise<Account> {
  const simulator = await createSimulator({ liveAfterMs: 0, ...options })
  t.teardown(() => simulator.close())
  const provider = providerAt(t, simulator)
  return { provider, simulator, meeting: simulator.addMeeting({ title: 'Friday show' }).id }
}

const worlds: SimulatorOptions[] = [
  { contract: 'L1' },
  { contract: 'L2', lists: 'example' },
  { contract: 'L2', lists: 'schema' }
]

for (const world of worlds) {
  const { contract } = world
  t.test(`the whole life of a livestream under contract ${contract}, lists as in the ${world.lists}`, async t => {
    const { provider, simulator, meeting } = await account(t, world)
    t.equal(await provider.findActive(meeting, soon()), null, 'nothing is live')
    t.equal((await provider.stop(meeting, soon())).stopped, false, 'and nothing can be stopped')

    const started = await provider.start(meeting, { name: 'friday-show' }, soon())
    t.match(started, { status: 'INVOKED', meeting_id: meeting, ingest_server: String, playback_url: String })
    const [truth] = simulator.livestreams()
    t.match(started, { id: truth?.id, stream_key: truth?.stream_key })
    t.match(await provider.findActive(meeting, soon()), { id: started.id, status: 'LIVE', name: 'friday-show' })
    await t.rejects(provider.start(meeting, {}, soon()), LiveElsewhere)

    const found = await provider.findLivestream(started.id, firstPage, soon())
    t.match(found?.livestream, { id: started.id, status: 'LIVE', meeting_id: meeting })
    t.strictSame(
      found?.sessions.map(({ livestream_id, stopped_time }) => ({ livestream_id, stopped_time })),
      contract === 'L1' ? [] : [{ livestream_id: started.id, stopped_time: null }]
    )
    t.equal(found?.paging.total_count, contract === 'L1' ? 0 : 1)

    t.equal((await provider.stop(meeting, soon())).stopped, true)
    t.equal(await provider.findActive(meeting, soon()), null)
    const ended = await provider.findLivestream(started.id, firstPage, soon())
    t.equal(ended?.livestream.status, contract === 'L1' ? 'OFFLINE' : 'IDLE')
  })
}

t.test('a meeting is made, read and changed', async t => {
  const { provider } = await account(t)
  const made = await provider.createMeeting({ title: 'Board', live_stream_on_start: true }, soon())
  t.match(made, { title: 'Board', status: 'ACTIVE', live_stream_on_start: true })
  t.strictSame(await provider.findMeeting(made.id, soon()), made)
  const changed = await provider.updateMeeting(made.id, { status: 'INACTIVE' }, soon())
  t.match(changed, { id: made.id, title: 'Board', status: 'INACTIVE' })
})

t.test('a thing that the vendor does not have is null for a read and a failure for a change', async t => {
  const { provider } = await account(t)
  const missing = randomUUID()
  t.equal(await provider.findMeeting(missing, soon()), null)
  t.equal(await provider.findActive(missing, soon()), null)
  t.equal(await provider.findLivestream(missing, firstPage, soon()), null)
  t.equal((await provider.stop(missing, soon())).stopped, false)
  await t.rejects(provider.updateMeeting(missing, { title: 'x' }, soon()), MeetingNotFound)
  await t.rejects(provider.start(missing, {}, soon()), MeetingNotFound)
})

t.test('a vendor that answers a second start or a fruitless stop with 200 is understood', async t => {
  const { provider, meeting } = await account(t, { startWhileLive: '200', stopWithNothingLive: '200' })
  t.equal((await provider.stop(meeting, soon())).stopped, true)
  const first = await provider.start(meeting, {}, soon())
  t.equal((await provider.start(meeting, {}, soon())).id, first.id)
})

t.test('a stop that the vendor refuses but by its own 404 is told as refused: a look decides', async t => {
  const { provider, simulator, meeting } = await account(t, { stopWithNothingLive: '409' })
  const stop = () => failureOf(provider.stop(meeting, soon()))
  t.match(await stop(), { type: 'upstream_refused', outcome: 'failed', upstreamStatus: 409 })
  simulator.failNext({ status: 400, body: { success: false, error: { code: 400, message: 'has not started yet' } } })
  t.match(await stop(), { type: 'upstream_refused', outcome: 'failed', upstreamStatus: 400 })
})

t.test("a page of a livestream's runs is asked for with the vendor's own words", async t => {
  const { provider, simulator, meeting } = await account(t)
  const { id } = await provider.start(meeting, {}, soon())
  await provider.stop(meeting, soon())
  await provider.start(meeting, {}, soon())
  const page = await provider.findLivestream(id, { pageNo: 2, perPage: 1 }, soon())
  t.match(page?.paging, { total_count: 2, start_offset: 2, end_offset: 2 })
  t.equal(simulator.journal.at(-1)?.target, `/v2/livestreams/${id}?page_no=2&per_page=1`)
})

t.test('every call carries the credentials of the account, once', async t => {
  const { provider, simulator, meeting } = await account(t)
  await provider.findMeeting(meeting, soon())
  const basic = `Basic ${Buffer.from(`${simulator.org}:${simulator.key}`).toString('base64')}`
  t.strictSame(
    simulator.journal.map(({ headers, status }) => [headers.authorization, status]),
    [[basic, 200]]
  )
})

t.test("an answer about something else than what was asked is refused, a mutation's as unknown", async t => {
  const { provider, simulator, meeting } = await account(t)
  const { id } = await provider.start(meeting, {}, soon())
  const refused = async (fault: Fault, call: () => Promise<unknown>, outcome: string | undefined, what: string) => {
    simulator.failNext(fault)
    t.match(await failureOf(call()), { type: 'upstream_malformed', outcome }, what)
  }
  const otherMeeting = { mutate: 'other_meeting' } as const
  const otherId = { mutate: 'other_id' } as const
  await refused(otherMeeting, () => provider.findActive(meeting, soon()), undefined, "another meeting's livestream")
  await refused(otherId, () => provider.findLivestream(id, firstPage, soon()), undefined, 'another livestream')
  await refused(otherId, () => provider.findMeeting(meeting, soon()), undefined, 'another meeting')
  await refused(otherId, () => provider.updateMeeting(meeting, {}, soon()), 'unknown', 'another meeting, changed')
  await provider.stop(meeting, soon())
  await refused(otherMeeting, () => provider.start(meeting, {}, soon()), 'unknown', "another meeting's start")

  const livestream = { id, status: 'LIVE', meeting_id: meeting }
  const data = { livestream, sessions: [{ id: randomUUID(), livestream_id: randomUUID() }] }
  const body = { success: true, data }
  await refused({ body }, () => provider.findLivestream(id, firstPage, soon()), undefined, "another livestream's run")
})

t.test('an id that could not stand in a path is never taken over from the vendor', async t => {
  const { provider, simulator, meeting } = await account(t)
  for (const id of ['..', 'a/b', 'a b', '.', '-x', 'a?b', 'x'.repeat(65)]) {
    simulator.failNext({ body: { success: true, data: { id, status: 'LIVE' } } }, 3)
    await t.rejects(provider.start(meeting, {}, soon()), UpstreamMalformed, id)
    await t.rejects(provider.createMeeting({}, soon()), UpstreamMalformed, id)
    await t.rejects(provider.findActive(meeting, soon()), UpstreamMalformed, id)
  }
})
