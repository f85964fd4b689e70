import { runOf } from '../../../domain/livestream.ts'
import { NotOffered } from '../../../domain/refusals/failures.ts'
import type { Page } from '../../../domain/values/paging.ts'
import { readActiveRun, readOfMeeting, readRun, readRuns } from '../../contract/contract-livestreams.ts'
import type { Provider } from '../../provider.ts'
import { path } from '../../transport/path.ts'
import { expectId, expectPlainId } from '../expected.ts'
import type { Send } from '../send.ts'
import { findLivestream } from './livestreams.ts'

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
