import { Failure, LiveElsewhere, MeetingNotFound, UpstreamMalformed } from '../domain/failures.ts'
import { isVendorId } from '../domain/id.ts'
import type { Meeting } from '../domain/meeting.ts'
import type { Answer, Call } from './client.ts'
import { readLivestream, readLivestreams, readLivestreamWithSessions, readMeeting, readMessage } from './contract.ts'
import { path } from './path.ts'
import type { Provider, Run } from './provider.ts'

/** So many of the account's newest livestreams are looked through for one that was started just now. */
const newest = 50

/** How a provider's calls go out: on whose errand, and over which connections, others know. */
export type Send = (call: Call, expected?: readonly number[]) => Promise<Answer>

/** Dyte v2, contracts L1 and L2, and what still speaks it (contract section 1: G1a, G1b, G2), org-wide. */
export function dyte(send: Send): Provider {
  return {
    async start(meetingId, wish, signal) {
      const call = { method: 'POST', path: path`/meetings/${meetingId}/livestreams`, body: wish, signal } as const
      const { status, body } = await send(call, [404, 409])
      if (status === 404) throw new MeetingNotFound()
      if (status === 409) throw new LiveElsewhere()
      return settle(() => running(ofMeeting(meetingId, readLivestream(body))))
    },

    async findActive(meetingId, signal) {
      const call = { method: 'GET', path: path`/meetings/${meetingId}/active-livestream`, signal } as const
      const { status, body } = await send(call, [404])
      if (status === 404) return null
      const livestream = readLivestream(body)
      // It shows a stream key: an answer that doesn't say whose it is might be another tenant's.
      expectId('meeting', meetingId, livestream.meeting_id ?? 'none')
      return running(ofMeeting(meetingId, livestream))
    },

    async stop(meetingId, signal) {
      const call = { method: 'POST', path: path`/meetings/${meetingId}/active-livestream/stop`, signal } as const
      const { status, body } = await send(call, [404, 409])
      if (status === 404 || status === 409) return false
      settle(() => readMessage(body))
      return true
    },

    async findLivestream(id, { pageNo, perPage }, signal) {
      const query = `?page_no=${pageNo}&per_page=${perPage}`
      const call = { method: 'GET', path: path`/livestreams/${id}` + query, signal } as const
      const { status, body } = await send(call, [404])
      if (status === 404) return null
      const answer = readLivestreamWithSessions(body)
      expectId('livestream', id, answer.livestream.id)
      for (const session of answer.sessions) expectId('livestream', id, session.livestream_id ?? id)
      return answer
    },

    async findRuns(meetingId, signal) {
      const query = `?page_no=1&per_page=${newest}&sort_order=DSC`
      const { body } = await send({ method: 'GET', path: path`/livestreams` + query, signal })
      const ours = readLivestreams(body).filter(livestream => livestream.meeting_id === meetingId)
      const runs: Run[] = []
      for (const { id } of ours.slice(0, 3)) {
        const found = await this.findLivestream(id, { pageNo: 1, perPage: newest }, signal)
        if (found !== null) runs.push(found)
      }
      return runs
    },

    async createMeeting(wish, signal) {
      const { body } = await send({ method: 'POST', path: path`/meetings`, body: wish, signal })
      return settle(() => {
        const meeting = readMeeting(body)
        if (!isVendorId(meeting.id)) throw new UpstreamMalformed({ cause: new Error('a meeting id of unknown form') })
        return meeting
      })
    },

    async findMeeting(id, signal) {
      const { status, body } = await send({ method: 'GET', path: path`/meetings/${id}`, signal }, [404])
      if (status === 404) return null
      const meeting = readMeeting(body)
      expectId('meeting', id, meeting.id)
      return meeting
    },

    updateMeeting: (id, change, signal) => changed('PATCH', id, change, signal),

    replaceMeeting: (id, wish, signal) => changed('PUT', id, wish, signal)
  }

  async function changed(method: 'PATCH' | 'PUT', id: string, wish: object, signal: AbortSignal): Promise<Meeting> {
    const { status, body } = await send({ method, path: path`/meetings/${id}`, body: wish, signal }, [404])
    if (status === 404) throw new MeetingNotFound()
    return settle(() => {
      const meeting = readMeeting(body)
      expectId('meeting', id, meeting.id)
      return meeting
    })
  }
}

/** A livestream that was asked for by meeting: a start's answer names no meeting (contract section 4.3), another's is refused. */
function ofMeeting<L extends { id: string; meeting_id?: string | null }>(meetingId: string, livestream: L): L {
  if (livestream.meeting_id != null) expectId('meeting', meetingId, livestream.meeting_id)
  if (!isVendorId(livestream.id)) throw new UpstreamMalformed({ cause: new Error('a livestream id of unknown form') })
  return { ...livestream, meeting_id: meetingId }
}

/** In contract L1 a fresh run is called OFFLINE, as an ended one is; where the vendor speaks of a run under way it is INVOKED. */
function running<L extends { status: string }>(livestream: L): L {
  return livestream.status === 'OFFLINE' ? { ...livestream, status: 'INVOKED' } : livestream
}

/** Another object than the one that was asked for must not reach the caller: it may be another tenant's. */
function expectId(what: string, asked: string, answered: string): void {
  if (asked !== answered) {
    throw new UpstreamMalformed({ cause: new Error(`the vendor answered with another ${what}`) })
  }
}

/** Reads the answer to a mutation that the vendor has called a success: what can't be read leaves its outcome unknown. */
function settle<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw error instanceof Failure ? new UpstreamMalformed({ cause: error.cause, outcome: 'unknown' }) : error
  }
}
