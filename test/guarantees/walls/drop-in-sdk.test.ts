import Cloudflare, { AuthenticationError, NotFoundError, PermissionDeniedError } from 'cloudflare'
import t, { type Test } from 'tap'
import { presets } from '../../../src/domain/scope.ts'
import { gateway, type World, type WorldOptions } from '../../support/gateway.ts'

/** The ids of a front end's own account: Livegate looks at neither. */
const account_id = '023e105f4ecef8ad9ca31a8372d0c353'
const app_id = '4e2f7a40-0d0c-4d5b-8c3b-6a1f5b2a9c10'
const [inAccount, inApp] = [{ account_id }, { account_id, app_id }]
const missing = 'ffffffff-ffff-4fff-8fff-ffffffffffff'

/** The vendor's own client as it is sold: nothing is set but the address and the token, and what counts its calls. */
const clientOf = ({ url }: World, apiToken: string, send = fetch) =>
  new Cloudflare({ apiToken, baseURL: `${url}/client/v4`, fetch: send }).realtimeKit
type Kit = ReturnType<typeof clientOf>

async function meetingsWork(t: Test, { meetings }: Kit): Promise<string> {
  const wish = { title: 'Council', live_stream_on_start: false, session_keep_alive_time_in_secs: 90 }
  const recording_config = { file_name_prefix: 'council', realtimekit_bucket_config: { enabled: true } }
  const made = await meetings.create(app_id, { ...inAccount, ...wish, recording_config }).withResponse()
  t.equal(made.response.status, 201)
  const id = made.data.data?.id ?? ''
  t.match(made.data, { success: true, data: { id: /^[0-9a-f-]{36}$/, title: 'Council' } })
  const page = { page_no: 1, per_page: 10, search: 'Council', start_time: '2026-01-01T00:00:00Z' }
  t.match(await meetings.get(app_id, { ...inAccount, ...page }), { data: [{ id }], paging: { total_count: 1 } })
  t.match(await meetings.get(app_id, { ...inAccount, ...page, status: 'ACTIVE' }), { data: [{ id, status: 'ACTIVE' }] })
  t.match(await meetings.getMeetingByID(id, inApp), { success: true, data: { id, title: 'Council' } })
  const changed = await meetings.updateMeetingByID(id, { ...inApp, title: 'Assembly', status: 'ACTIVE' })
  t.match(changed, { data: { id, title: 'Assembly', status: 'ACTIVE' } })
  const replaced = await meetings.replaceMeetingByID(id, { ...inApp, title: 'Friday show', record_on_start: null })
  t.match(replaced, { success: true, data: { id, title: 'Friday show' } })
  return id
}

async function livestreamsWork(t: Test, { livestreams, activeSession }: Kit, meeting: string): Promise<string> {
  const wish = { ...inApp, name: 'friday-show', video_config: { height: 720, width: 1280 } }
  const started = await livestreams.startLivestreamingAMeeting(meeting, wish).withResponse()
  t.equal(started.response.status, 201)
  const { id = '', stream_key } = started.data.data ?? {}
  t.match(started.data, { success: true, data: { name: 'friday-show', playback_url: /^https:/, stream_key: String } })
  const again = await livestreams.startLivestreamingAMeeting(meeting, inApp).withResponse()
  t.equal(again.response.status, 200, 'the meeting is live already')
  t.equal(again.data.data?.id, id)

  const active = await livestreams.getMeetingActiveLivestreams(meeting, inApp)
  t.match(active, { success: true, data: { id, status: 'LIVE', stream_key } })
  const filter = { exclude_meetings: false, status: 'LIVE', sort_order: 'ASC', page_no: 1, per_page: 5 } as const
  const all = await livestreams.getAllLivestreams(app_id, { ...inAccount, ...filter, end_time: '2126-01-01T00:00:00Z' })
  t.match(all, { success: true, data: [{ id, meeting_id: meeting }] })
  const one = await livestreams.getLivestreamSessionForLivestreamID(id, { ...inApp, page_no: 1, per_page: 5 })
  t.match(one, { data: { livestream: { id } }, paging: { total_count: 1 } })
  const run = (await livestreams.getActiveLivestreamsForLivestreamID(id, inApp)).data?.session?.id ?? ''
  const details = await livestreams.getLivestreamSessionDetailsForSessionID(run, inApp)
  t.match(details, { success: true, data: { id: run, livestream_id: id } })

  t.match(await activeSession.getActiveSession(meeting, inApp), { data: { associated_id: meeting, status: 'LIVE' } })
  const guest = { custom_participant_ids: ['guest-1'] }
  t.match(await activeSession.kickParticipants(meeting, { ...inApp, ...guest }), { data: { action: 'kick' } })
  t.match(await activeSession.kickAllParticipants(meeting, inApp), { data: { kicked_participants_count: 2 } })

  const stopped = await livestreams.stopLivestreamingAMeeting(meeting, inApp).withResponse()
  t.equal(stopped.response.status, 200)
  t.match(stopped.data, { success: true, data: { message: String } })
  const since = { ...inAccount, start_time: 1_700_000_000, end_time: 4_900_000_000 }
  t.match(await livestreams.getLivestreamAnalyticsComplete(app_id, since), { data: { count: 1 } })
  t.match(await livestreams.getLivestreamAnalyticsDaywise(app_id, since), { data: [{ count: 1 }] })
  return id
}

async function participantsWork(t: Test, { meetings, presets }: Kit, meeting: string): Promise<void> {
  const { data: mayGive } = await presets.get(app_id, { ...inAccount, search: 'viewer', per_page: 5 })
  t.match(mayGive, [{ name: 'livestream_viewer' }])
  const wish = { custom_participant_id: 'mary', preset_name: 'livestream_viewer', name: 'Mary Sue' }
  const added = await meetings.addParticipant(meeting, { ...inApp, ...wish }).withResponse()
  t.equal(added.response.status, 201)
  const { id = '', token } = added.data.data ?? {}
  t.match(added.data, { success: true, data: { ...wish, token: String } })
  const at = { ...inApp, meeting_id: meeting }
  t.match(await meetings.getMeetingParticipants(meeting, { ...inApp, per_page: 5 }), {
    data: [{ id, name: 'Mary Sue' }]
  })
  t.match(await meetings.getMeetingParticipant(id, at), { success: true, data: { id, ...wish } })
  const edited = await meetings.editParticipant(id, { ...at, name: 'Mary', preset_name: 'group_call_participant' })
  t.match(edited, { data: { id, name: 'Mary', preset_name: 'group_call_participant', token: String } })
  const refreshed = await meetings.refreshParticipantToken(id, at)
  t.equal(new Set([token, edited.data?.token, refreshed.data.token]).size, 3)
  t.match(await meetings.deleteMeetingParticipant(id, at), { data: { custom_participant_id: 'mary' } })
  await t.rejects(meetings.getMeetingParticipant(id, at), { status: 404, message: /No such participant/ })
}

/** The errors that its callers look for. */
async function refusalsAreUnderstood(t: Test, world: World, { livestreams, meetings }: Kit, meeting: string) {
  const caught = (promise: Promise<unknown>) => promise.then(String, error => error)
  const before = world.upstream().length
  await t.rejects(meetings.getMeetingByID(missing, inApp), { status: 404, message: /No such meeting/ })
  t.ok((await caught(meetings.getMeetingByID(world.otherMeeting, inApp))) instanceof NotFoundError)
  const stranger = clientOf(world, 'lgk_wrong').livestreams
  t.ok((await caught(stranger.getAllLivestreams(app_id, inAccount))) instanceof AuthenticationError)
  const viewer = clientOf(world, (await world.withKey('acme', presets.viewer)).key).livestreams
  t.ok((await caught(viewer.startLivestreamingAMeeting(meeting, inApp))) instanceof PermissionDeniedError)
  t.equal(world.upstream().length, before, 'the vendor hears of none')
  await t.rejects(livestreams.getMeetingActiveLivestreams(meeting, inApp), { status: 404, message: /no .*livestream/i })
}

/** Its client sends a call again by itself: whatever is lost on either way, a start is one start. */
async function aStartHappensOnce(t: Test, world: World, apiToken: string): Promise<void> {
  const { simulator } = world
  const lost = { afterWork: true, hangUp: true }
  const losses = [
    { what: "the vendor's answer", method: 'POST', path: 'livestreams', faults: [lost], attempts: 1 },
    { what: 'the look before', method: 'GET', path: 'active-livestream', faults: [lost, lost], attempts: 2 },
    { what: "Livegate's answer", method: 'POST', path: 'livestreams', faults: [], attempts: 2 }
  ]
  const starts = losses.map(async ({ what, method, path, faults, attempts }) => {
    let sent = 0
    const counted: typeof fetch = async (...call) => {
      const answer = await fetch(...call)
      sent++
      if (sent >= attempts || faults.length > 0) return answer
      await answer.text()
      throw new TypeError('fetch failed')
    }
    const meeting = (await clientOf(world, apiToken).meetings.create(app_id, inAccount)).data?.id ?? ''
    simulator.failNext(faults.map(fault => ({ ...fault, match: { method, path: `/meetings/${meeting}/${path}` } })))
    const { livestreams } = clientOf(world, apiToken, counted)
    const { data } = await livestreams.startLivestreamingAMeeting(meeting, inApp)
    t.equal(sent, attempts, `${what} is lost`)
    const truth = simulator.livestreams().filter(one => one.meeting_id === meeting)
    t.match(truth, [{ id: data?.id, starts: 1 }], `${what} is lost, and the meeting was started once`)
    t.equal(truth.length, 1)
    t.match(await livestreams.stopLivestreamingAMeeting(meeting, inApp), { success: true })
  })
  await Promise.all(starts)
}

/** It would start as often as it is asked. */
const simulator = { startWhileLive: 'second' } as const
const vendors: Record<string, WorldOptions> = {
  Dyte: { simulator },
  'Dyte at another address': { simulator, vendorUrl: ({ port }) => `http://localhost:${port}/v2` },
  'Cloudflare RealtimeKit': { simulator: { ...simulator, vendor: 'realtimekit' } }
}

for (const [vendor, options] of Object.entries(vendors)) {
  t.test(`the vendor's own client works unmodified, before ${vendor}`, async t => {
    const world = await gateway(t, options)
    const { key } = await world.withKey('acme', presets.owner)
    const kit = clientOf(world, key)
    const meeting = await meetingsWork(t, kit)
    world.simulator.joinMeeting(meeting)
    const livestream = await livestreamsWork(t, kit, meeting)
    await participantsWork(t, kit, meeting)
    t.match(world.simulator.livestreams(), [{ id: livestream, status: 'IDLE', starts: 1 }])
    await refusalsAreUnderstood(t, world, kit, meeting)
    await aStartHappensOnce(t, world, key)
    const { host } = new URL(options.vendorUrl?.(world.simulator) ?? world.simulator.url)
    t.ok(world.simulator.journal.every(({ headers }) => headers.host === host))
  })
}
