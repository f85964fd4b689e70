import { randomUUID } from 'node:crypto'
import t from 'tap'
import type { Livestream } from '../../../src/domain/livestream.ts'
import { UpstreamMalformed } from '../../../src/domain/refusals/failures.ts'
import { KnownMeetings } from '../../../src/lifecycle/resources/known-meetings.ts'
import { listedRun } from '../../../src/lifecycle/running/listed-run.ts'
import { OwnStarts } from '../../../src/lifecycle/running/own-actions.ts'
import type { KnownMeeting } from '../../../src/store/tables/livestreams.ts'
import type { Provider } from '../../../src/upstream/provider.ts'
import { manualClock } from '../../support/clock.ts'
import { gateway } from '../../support/gateway.ts'

const meeting = { id: 'm1', tenantId: 'acme', upstream: 'default' }

/** @param says what livestreams say of themselves, by id @param known where they are known to be */
function lists(says: Record<string, Omit<Livestream, 'id'>>, known: Record<string, KnownMeeting> = {}, at = meeting) {
  const asked: string[] = []
  const provider = {
    async findLivestream(id: string) {
      asked.push(id)
      const livestream = says[id]
      return livestream === undefined ? null : { livestream: { id, ...livestream } }
    }
  } as unknown as Provider
  const ownStarts = new OwnStarts(manualClock(), 30_000)
  const knownMeetings = new KnownMeetings({ meetingOf: async id => known[id] ?? null }, async () => false)
  const find = listedRun({ knownMeetings, ownStarts })
  const unreadIn = new Set<string>()
  return {
    asked: () => asked.splice(0),
    ownStarts,
    knownMeetings,
    unreadIn,
    async find(...running: Livestream[]): Promise<string | null> {
      return (await find({ livestreams: running, unreadIn }, at, provider, new AbortController().signal))?.id ?? null
    }
  }
}
const listed = (id: string, more: object = {}) => ({ id, status: 'LIVE', ...more })
const here = { status: 'LIVE', meeting_id: 'm1' }

t.test('a livestream that calls itself over does not run, whatever a list of a moment ago says', async t => {
  for (const status of ['IDLE', 'ERRORED', 'OFFLINE']) {
    const { find } = lists({ a1: { ...here, status }, b2: here })
    t.equal(await find(listed('a1', here)), null, status)
    t.equal(await find(listed('a1', here), listed('b2', here)), 'b2', 'another one may')
  }
  const { find } = lists({ a1: { ...here, status: 'STARTING' } })
  t.equal(await find(listed('a1', here)), 'a1', 'a word that nobody knows does not say so')
  t.equal(await find(listed('c3', here)), 'c3', 'nor does one that is not there yet')
})

t.test('the own answer of a run that we have begun a moment ago may lag behind the list', async t => {
  const { find, ownStarts } = lists({ a1: { ...here, status: 'IDLE' } })
  ownStarts.began(meeting, 'a1')
  t.equal(await find(listed('a1', here)), 'a1')
})

t.test('a run that is listed without its meeting is asked for by its id, once', async t => {
  const elsewhere = { status: 'LIVE', meeting_id: 'm2' }
  const { find, asked } = lists({ a1: here, b2: elsewhere, c3: { status: 'LIVE', meeting_id: null } })
  t.equal(await find(listed('b2')), null)
  t.strictSame(asked(), ['b2'])
  t.equal(await find(listed('b2')), null)
  t.strictSame(asked(), [], 'it stays in its meeting')
  t.equal(await find(listed('c3'), listed('a1')), 'a1')
  t.equal(await find(listed('c3', { meeting_id: null }), listed('d4', { meeting_id: 'm3' })), null)
  t.strictSame(asked(), ['c3', 'a1'], 'an independent one is named: it is of no meeting')
})

t.test('nothing is known where nobody says whose livestream it is, as when the vendor could not be asked', async t => {
  const silent = { status: 'LIVE' }
  const of = (meetingId: string, isProved: boolean, upstream = 'default') => ({
    ...{ id: 'b2', tenantId: 'acme' },
    ...{ upstream, meetingId, isProved }
  })
  const { find, asked } = lists(
    { a1: silent, b2: silent, c3: silent, d4: silent },
    { b2: of('m2', true), c3: of('m2', false), d4: of('m1', false) }
  )
  await t.rejects(find(listed('a1')), UpstreamMalformed)
  await t.rejects(find(listed('gone')), UpstreamMalformed)
  t.equal(await find(listed('a1'), listed('d4')), 'd4', 'one that is known to be here is enough')
  asked()
  t.equal(await find(listed('b2'), listed('c3')), null, 'what is known tells, where the vendor does not')
  t.strictSame(asked(), ['c3'], 'what is proved is not asked for')
})

t.test('a livestream at another vendor account says nothing of the one with its id', async t => {
  const elsewhere = { id: 'a1', tenantId: 'acme', upstream: 'other', isProved: true }
  for (const meetingId of ['m1', 'm2']) {
    const { find } = lists({ a1: { status: 'LIVE' } }, { a1: { ...elsewhere, meetingId } })
    await t.rejects(find(listed('a1')), UpstreamMalformed, `in the meeting ${meetingId}`)
    const seen = lists({ a1: { status: 'LIVE' } })
    seen.knownMeetings.note({ id: meetingId, upstream: 'other' }, 'a1', true)
    await t.rejects(
      seen.find(listed('a1')),
      UpstreamMalformed,
      `as a look at the other account has shown, ${meetingId}`
    )
  }
})

t.test('the answer to a start alone hides a livestream from no other meeting', async t => {
  const { find, knownMeetings } = lists({ a1: here })
  knownMeetings.note({ ...meeting, id: 'm2' }, 'a1', false)
  t.equal(await find(listed('a1')), 'a1')
  knownMeetings.note({ ...meeting, id: 'm2' }, 'a1', false)
  t.equal(await find(listed('a1')), 'a1', 'nor does it change what the vendor has said by id')
})

t.test('a vendor may write the id of the meeting in another case, here as everywhere', async t => {
  const at = { ...meeting, id: randomUUID() }
  const loud = at.id.toUpperCase()
  const { find, knownMeetings, unreadIn } = lists({ a1: { status: 'LIVE', meeting_id: loud } }, {}, at)
  knownMeetings.note({ ...at, id: loud }, 'a1', true)
  t.equal(await find(listed('a1')), 'a1', 'as another look has read it')
  unreadIn.add(loud)
  await t.rejects(find(), UpstreamMalformed, 'in an entry that cannot be read')
})

t.test('many runs without their meetings cost few questions a look, and the next look comes further', async t => {
  const ids = Array.from({ length: 8 }, (_, i) => `b${i}`)
  const { find, asked } = lists(Object.fromEntries(ids.map(id => [id, { status: 'LIVE', meeting_id: 'm2' }])))
  // The first look has proved it: it is not asked for again.
  await t.rejects(find(...ids.map(id => listed(id))), UpstreamMalformed)
  t.equal(asked().length, 5)
  t.equal(await find(...ids.map(id => listed(id))), null)
  t.equal(asked().length, 3)
})

t.test(
  'a vendor that fails when nothing is live, and lists runs without meetings, has no second one begun',
  async t => {
    const { asAcme, meeting, simulator } = await gateway(t, {
      simulator: { startWhileLive: 'second', stopRefusal: '400', liveAfterMs: 3_600_000 }
    })
    const { id } = simulator.startFromBrowser(meeting)
    simulator.fail({ match: { method: 'GET', path: '/meetings/*/active-livestream' }, status: 500, body: {} })
    const match = { method: 'GET', path: '/livestreams' }
    const page = (data: object[]) => ({ match, status: 200, body: { success: true, data } })
    // The list of INVOKED with its second page, and that of LIVE; for the start, and for the stop.
    simulator.failNext([page([{ id, status: 'INVOKED' }]), page([]), page([])], 2)
    const path = `/v2/meetings/${meeting}`
    const started = await asAcme('POST', `${path}/livestreams`)
    t.equal(started.statusCode, 200)
    t.match(started.json().data, { id, meeting_id: meeting })
    const stopped = await asAcme('POST', `${path}/active-livestream/stop`)
    t.match(stopped.json().error, { type: 'upstream_refused', outcome: 'unknown' }, 'it is sent again')
  }
)

t.test('a wrong answer to a start keeps no stop of another meeting from its run, where lists alone tell', async t => {
  const { asAcme, asGlobex, meeting, otherMeeting, simulator } = await gateway(t)
  const { id } = simulator.startFromBrowser(otherMeeting)
  const started = { success: true, data: { id, status: 'INVOKED' } }
  simulator.failNext({ match: { method: 'POST' }, status: 201, body: started })
  t.equal((await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).statusCode, 201)
  simulator.fail({ match: { method: 'GET', path: '/meetings/*/active-livestream' }, status: 500, body: {} })
  const match = { method: 'GET', path: '/livestreams' }
  const page = (data: object[]) => ({ match, status: 200, body: { success: true, data } })
  simulator.failNext([page([{ id, status: 'LIVE' }]), page([]), page([])])
  const refused = { success: false, message: 'not now' }
  simulator.failNext({ match: { method: 'POST' }, status: 400, body: refused })
  const stopped = await asGlobex('POST', `/v2/meetings/${otherMeeting}/active-livestream/stop`)
  t.match(stopped.json().error, { type: 'upstream_refused', outcome: 'unknown' }, 'it is sent again')
})
