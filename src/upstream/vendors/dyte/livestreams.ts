import { type LivestreamWithKey, runOf } from '../../../domain/livestream.ts'
import { LivestreamNotFound, NotOffered, UpstreamMalformed } from '../../../domain/refusals/failures.ts'
import type { Page } from '../../../domain/values/paging.ts'
import { readLivestream, readLivestreamWithSessions } from '../../contract/contract.ts'
import { readActiveRun, readOfMeeting, readRun, readRuns, readSwitched } from '../../contract/contract-livestreams.ts'
import type { LivestreamWithSessions, Provider } from '../../provider.ts'
import type { VendorAnswer } from '../../transport/call.ts'
import { expectId, expectPlainId, path, readSuccess, type Send, saidIn, type VendorCall } from '../vendor-call.ts'

type Livestreams = Pick<Provider, 'findLivestream' | 'createLivestream' | 'setEnabled' | 'resetStreamKey'>

/** Livestreams by their own id. */
export function dyteLivestreams(send: Send): Livestreams {
  return {
    findLivestream: (id, page, signal) => findLivestream(send, id, page, signal),

    async createLivestream(wish, signal) {
      const { body } = await send({ method: 'POST', path: path`/livestreams`, body: wish, signal })
      return readSuccess(() => {
        const livestream = readLivestream(body)
        expectPlainId('livestream', livestream.id)
        if (livestream.meeting_id != null) throw new UpstreamMalformed({ cause: new Error("a meeting's livestream") })
        return { ...livestream, meeting_id: null }
      })
    },

    setEnabled: (id, enabled, signal) =>
      changed(
        { method: 'PUT', path: path`/livestreams/${id}` + (enabled ? '/enable' : '/disable'), signal },
        id,
        readSwitched
      ),

    resetStreamKey: (id, signal) =>
      changed({ method: 'POST', path: path`/livestreams/${id}/reset-stream-key`, signal }, id, readLivestream)
  }

  async function changed(
    call: VendorCall,
    id: string,
    read: (body: unknown) => LivestreamWithKey
  ): Promise<LivestreamWithKey> {
    const answer = await send(call, [404])
    if (answer.status === 404) throw await notThere(answer, call.signal, id)
    return readSuccess(() => {
      const livestream = read(answer.body)
      expectId('livestream', id, livestream.id)
      return { ...livestream, id }
    })
  }

  /** Contract L1 lacks these paths, and is expected to say so as it says that an id is unknown (contract#l1-missing-paths). A look tells. */
  async function notThere(answer: VendorAnswer, signal: AbortSignal, id: string): Promise<Error> {
    const found = await findLivestream(send, id, { pageNo: 1, perPage: 1 }, signal).catch(() => null)
    return found === null ? new LivestreamNotFound(saidIn(answer)) : new NotOffered({ outcome: 'failed' })
  }
}

/** Null when the vendor has no such livestream. */
export async function findLivestream(
  send: Send,
  id: string,
  { pageNo, perPage }: Page,
  signal: AbortSignal
): Promise<LivestreamWithSessions | null> {
  const query = `?page_no=${pageNo}&per_page=${perPage}`
  const { status, body } = await send({ method: 'GET', path: path`/livestreams/${id}` + query, signal }, [404])
  if (status === 404) return null
  const answer = readLivestreamWithSessions(body)
  expectId('livestream', id, answer.livestream.id)
  for (const session of answer.sessions) expectId('livestream', id, session.livestream_id ?? id)
  return { ...answer, livestream: { ...answer.livestream, id }, sessions: answer.sessions.map(run => runOf(id, run)) }
}

type Runs = Pick<Provider, 'findOfMeeting' | 'findActiveRun' | 'findRun' | 'findRunsOfSession'>

/** Runs of livestreams, which the vendor calls livestream sessions. L1 has none of this (contract#l1-no-runs). */
export function dyteRuns(send: Send): Runs {
  /** Null for a 404. */
  async function get(target: string, signal: AbortSignal): Promise<{ body: unknown } | null> {
    const { status, body } = await send({ method: 'GET', path: target, signal }, [404])
    return status === 404 ? null : { body }
  }

  return {
    async findOfMeeting(meetingId, page, signal) {
      const answer = await get(path`/meetings/${meetingId}/livestream` + queryOf(page), signal)
      const found = answer && readOfMeeting(answer.body)
      if (found === null) return null
      // It shows a stream key: an answer that doesn't say whose it is might be another tenant's.
      expectId('meeting', meetingId, found.livestream.meeting_id ?? 'none')
      expectPlainId('livestream', found.livestream.id)
      for (const run of found.sessions)
        expectId('livestream', found.livestream.id, run.livestream_id ?? found.livestream.id)
      return found
    },

    async findActiveRun(id, signal) {
      const answer = await get(path`/livestreams/${id}/active-livestream-session`, signal)
      if (answer === null) {
        // A vendor that knows runs shows one for each livestream that is live.
        const found = await findLivestream(send, id, { pageNo: 1, perPage: 1 }, signal)
        if (found?.livestream.status === 'LIVE' && found.sessions.length === 0) throw new NotOffered()
        return null
      }
      const found = readActiveRun(answer.body)
      if (found === null) return null
      expectId('livestream', id, found.livestream.id)
      expectId('livestream', id, found.session.livestream_id ?? id)
      return { livestream: { ...found.livestream, id }, session: runOf(id, found.session) }
    },

    async findRun(id, signal) {
      const answer = await get(path`/livestreams/sessions/${id}`, signal)
      if (answer === null) return null
      const run = readRun(answer.body)
      expectId('livestream session', id, run.id)
      return { ...run, id }
    },

    async findRunsOfSession(sessionId, page, signal) {
      const answer = await get(path`/sessions/${sessionId}/livestream-sessions` + queryOf(page), signal)
      return answer && readRuns(answer.body)
    }
  }
}

function queryOf({ pageNo, perPage }: Page): string {
  return `?page_no=${pageNo}&per_page=${perPage}`
}
