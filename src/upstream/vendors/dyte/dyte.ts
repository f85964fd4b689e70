import { isSameId, isVendorId } from '../../../domain/id.ts'
import type { Meeting } from '../../../domain/meeting.ts'
import { LiveElsewhere, MeetingNotFound, NotOffered, UpstreamMalformed } from '../../../domain/refusals/failures.ts'
import {
  expectId,
  expectPlainId,
  type LivestreamList,
  path,
  readActive,
  readLivestreamList,
  readMessage,
  readStarted,
  readSuccess,
  saidIn
} from '../../contract/contract.ts'
import { readMeeting, readMeetings } from '../../contract/contract-meetings.ts'
import type { LivestreamWithSessions, Provider, VendorHabits } from '../../provider.ts'
import type { Send } from '../../transport/call.ts'
import * as livestreams from './livestreams.ts'
import * as participants from './participants.ts'
import { findRunning } from './running.ts'
import { changeAll, changeSome, findActiveSession } from './stage.ts'
import { addWebhook, changeWebhook, listWebhooks, removeWebhook } from './webhooks.ts'

/** Newest livestreams of the account that are looked through for one that was started just now. */
const newest = 50

/** Dyte v2 in both of its contracts (contract#two-contracts), at each address that speaks it (contract#generations), for a whole organisation. */
export function dyteProvider(send: Send, habits: VendorHabits): Provider {
  return {
    async start(meetingId, wish, signal) {
      const call = { method: 'POST', path: path`/meetings/${meetingId}/livestreams`, body: wish, signal } as const
      const answer = await send(call, [404, 409])
      const { status, body } = answer
      if (status === 404) throw new MeetingNotFound(saidIn(answer))
      if (status === 409) throw new LiveElsewhere(saidIn(answer))
      return readSuccess(() => ({ ...running(ofMeeting(meetingId, readStarted(body))), meeting_id: meetingId }))
    },

    async findActive(meetingId, signal) {
      const target = path`/meetings/${meetingId}/active-livestream`
      const call = { method: 'GET', path: target, signal, mayFail: true } as const
      const { status, body } = await send(call, [404])
      const livestream = status === 404 ? null : readActive(body)
      if (livestream === null) {
        habits.noteSaidNothingIsLive()
        return null
      }
      // The call names the meeting, but does not prove it: a caller that shows the stream key must know what the answer says.
      const { meeting_id: named, ...rest } = ofMeeting(meetingId, livestream)
      return running(named == null ? rest : { ...rest, meeting_id: named })
    },

    async stop(meetingId, signal) {
      const call = { method: 'POST', path: path`/meetings/${meetingId}/active-livestream/stop`, signal } as const
      const { status, body, dateMs } = await send(call, [404])
      if (status !== 404) readSuccess(() => readMessage(body))
      return { stopped: status !== 404, dateMs }
    },

    findRunning: signal => findRunning({ send, habits }, signal),

    async findRuns(meetingId, signal) {
      const list = await listNewest(newest, signal)
      const isOurs = ({ meeting_id: named }: { meeting_id?: string | null }): boolean =>
        named != null && isSameId(named, meetingId)
      if (list.unread.some(isOurs))
        throw new UpstreamMalformed({ cause: new Error("the meeting's livestream in a list") })
      const found: LivestreamWithSessions[] = []
      for (const { id } of list.livestreams.filter(isOurs).slice(0, 3)) {
        const one = await livestreams.findLivestream(send, id, { pageNo: 1, perPage: newest }, signal)
        if (one !== null) found.push(one)
      }
      return found
    },

    async findInMeeting(meetingId, signal) {
      const found = await livestreams.findOfMeeting(send, meetingId, { pageNo: 1, perPage: newest }, signal)
      if (found !== null) return [found]
      // Contract L1 says so of each meeting, since it has no such path (contract#l1-missing-paths). Its lists have a form of their own (contract#l1-lists).
      if ((await listNewest(1, signal)).form === 'L1') throw new NotOffered()
      return []
    },

    findLivestream: (...asked) => livestreams.findLivestream(send, ...asked),
    createLivestream: (...asked) => livestreams.createLivestream(send, ...asked),
    setEnabled: (...asked) => livestreams.setEnabled(send, ...asked),
    resetStreamKey: (...asked) => livestreams.resetStreamKey(send, ...asked),
    findOfMeeting: (...asked) => livestreams.findOfMeeting(send, ...asked),
    findActiveRun: (...asked) => livestreams.findActiveRun(send, ...asked),
    findRun: (...asked) => livestreams.findRun(send, ...asked),
    findRunsOfSession: (...asked) => livestreams.findRunsOfSession(send, ...asked),

    findActiveSession: (meetingId, signal) => findActiveSession(send, meetingId, signal),
    onStage: (...how) => changeSome(send, ...how),
    onWholeStage: (...how) => changeAll(send, ...how),

    findParticipants: (...asked) => participants.findParticipants(send, ...asked),
    findParticipant: (...asked) => participants.findParticipant(send, ...asked),
    addParticipant: (...asked) => participants.addParticipant(send, ...asked),
    updateParticipant: (...asked) => participants.updateParticipant(send, ...asked),
    replaceParticipant: (...asked) => participants.replaceParticipant(send, ...asked),
    removeParticipant: (...asked) => participants.removeParticipant(send, ...asked),
    refreshToken: (...asked) => participants.refreshToken(send, ...asked),
    findPreset: (...asked) => participants.findPreset(send, ...asked),
    findPresets: (...asked) => participants.findPresets(send, ...asked),

    async createMeeting(wish, signal) {
      const { body } = await send({ method: 'POST', path: path`/meetings`, body: wish, signal })
      return readSuccess(() => {
        const meeting = readMeeting(body)
        expectPlainId('meeting', meeting.id)
        return meeting
      })
    },

    findMeeting,

    async findMeetings({ pageNo, perPage }, signal) {
      const query = `?page_no=${pageNo}&per_page=${perPage}`
      const { body } = await send({ method: 'GET', path: path`/meetings` + query, signal })
      return readMeetings(body)
        .filter(({ id }) => isVendorId(id))
        .slice(0, perPage)
    },

    updateMeeting: (id, change, signal) => changed('PATCH', id, change, signal),

    replaceMeeting: (id, wish, signal) => changed('PUT', id, wish, signal),

    listWebhooks: signal => listWebhooks(send, signal),
    addWebhook: (...asked) => addWebhook(send, ...asked),
    changeWebhook: (...asked) => changeWebhook(send, ...asked),
    removeWebhook: (...asked) => removeWebhook(send, ...asked)
  }

  async function listNewest(perPage: number, signal: AbortSignal): Promise<LivestreamList> {
    const query = `?page_no=1&per_page=${perPage}&sort_order=DSC`
    const { body } = await send({ method: 'GET', path: path`/livestreams` + query, signal })
    return readLivestreamList(body)
  }

  async function findMeeting(id: string, signal: AbortSignal): Promise<Meeting | null> {
    const { status, body } = await send({ method: 'GET', path: path`/meetings/${id}`, signal }, [404])
    if (status === 404) return null
    const meeting = readMeeting(body)
    expectId('meeting', id, meeting.id)
    return { ...meeting, id }
  }

  async function changed(method: 'PATCH' | 'PUT', id: string, wish: object, signal: AbortSignal): Promise<Meeting> {
    const answer = await send({ method, path: path`/meetings/${id}`, body: wish, signal }, [404])
    const { status, body } = answer
    // Contract L1 has no PUT, and is expected to say so as it says that an id is unknown (contract#l1-missing-paths). A look tells.
    const isThere = status === 404 && method === 'PUT' && (await findMeeting(id, signal).catch(() => null)) !== null
    if (isThere) throw new NotOffered({ outcome: 'failed' })
    if (status === 404) throw new MeetingNotFound(saidIn(answer))
    return readSuccess(() => {
      const meeting = readMeeting(body)
      expectId('meeting', id, meeting.id)
      return { ...meeting, id }
    })
  }
}

/** A livestream that was asked for by meeting. A start's answer names no meeting (contract#start-answer); another's is refused. */
function ofMeeting<L extends { id: string; meeting_id?: string | null }>(meetingId: string, livestream: L): L {
  expectPlainId('livestream', livestream.id)
  if (livestream.meeting_id == null) return livestream
  expectId('meeting', meetingId, livestream.meeting_id)
  return { ...livestream, meeting_id: meetingId }
}

/** Calls a run under way INVOKED. In contract L1 a fresh run is called OFFLINE, as an ended one is (contract#l1-statuses). */
function running<L extends { status: string }>(livestream: L): L {
  return livestream.status === 'OFFLINE' ? { ...livestream, status: 'INVOKED' } : livestream
}
