import Cloudflare from 'cloudflare'
import t from 'tap'
import { nobody, simulate } from '../../support/simulator/helper.ts'

t.test("the vendor's own client finds all that it knows where it expects it", async t => {
  const { simulator } = await simulate(t, { vendor: 'realtimekit', liveAfterMs: 0 })
  const { url, account: account_id, app: app_id, token } = simulator
  const { meetings, livestreams, activeSession, sessions, apps } = new Cloudflare({
    apiToken: token,
    baseURL: url,
    maxRetries: 0
  }).realtimeKit
  const [inAccount, inApp] = [{ account_id }, { account_id, app_id }]

  t.match(await apps.get(inAccount), { data: [{ id: app_id }] })
  const meeting = (await meetings.create(app_id, { ...inAccount, title: 'Friday show' })).data?.id ?? ''
  t.match(await meetings.get(app_id, { ...inAccount, status: 'ACTIVE' }), { data: [{ id: meeting }] })
  t.match(await meetings.getMeetingByID(meeting, inApp), { data: { title: 'Friday show' } })
  const changed = await meetings.updateMeetingByID(meeting, { ...inApp, session_keep_alive_time_in_secs: 90 })
  t.match(changed, { data: { session_keep_alive_time_in_secs: 90 } })
  const replaced = await meetings.replaceMeetingByID(meeting, { ...inApp, title: 'Other' })
  t.match(replaced, { data: { title: 'Other' } })

  const id = (await livestreams.startLivestreamingAMeeting(meeting, inApp)).data?.id ?? ''
  t.match(await livestreams.getMeetingActiveLivestreams(meeting, inApp), { data: { id, status: 'LIVE' } })
  t.match(await livestreams.getAllLivestreams(app_id, { ...inAccount, status: 'LIVE' }), { data: [{ id }] })
  t.match(await livestreams.getLivestreamSessionForLivestreamID(id, inApp), { data: { livestream: { id } } })
  t.match(await livestreams.getActiveLivestreamsForLivestreamID(id, inApp), { data: { livestream: { id } } })
  const run = simulator.livestreams()[0]?.sessions[0]?.id ?? ''
  t.match(await livestreams.getLivestreamSessionDetailsForSessionID(run, inApp), { data: { id: run } })
  const since = { ...inAccount, start_time: 1_700_000_000 }
  t.match(await livestreams.getLivestreamAnalyticsComplete(app_id, since), { data: { count: 1 } })
  t.match(await livestreams.getLivestreamAnalyticsDaywise(app_id, since), { data: [{ date: '2026-01-05', count: 1 }] })

  const session = (await activeSession.getActiveSession(meeting, inApp)).data?.id ?? ''
  t.match(await sessions.getSessions(app_id, inAccount), { data: { sessions: [{ id: session }] } })
  t.match(await sessions.getSessionDetails(session, inApp), { data: { session: { id: session } } })
  const stranger = { participant_ids: [nobody], custom_participant_ids: [] }
  await t.rejects(activeSession.kickParticipants(meeting, { ...inApp, ...stranger }), /No user found/)
  t.match(await activeSession.kickAllParticipants(meeting, inApp), { success: true })
  t.match(await livestreams.stopLivestreamingAMeeting(meeting, inApp), { success: true })
  t.match(simulator.livestreams(), [{ id, status: 'IDLE', starts: 1 }])
  await t.rejects(meetings.getMeetingByID(nobody, inApp), { status: 404, message: /No meeting found/ })
})
