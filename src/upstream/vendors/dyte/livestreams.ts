import { type LivestreamWithKey, runOf } from '../../../domain/livestream.ts'
import { LivestreamNotFound, NotOffered, UpstreamMalformed } from '../../../domain/refusals/failures.ts'
import type { Page } from '../../../domain/values/paging.ts'
import { expectId, expectPlainId, path, readLivestream, readSuccess, saidIn } from '../../contract/contract.ts'
import {
  readActiveRun,
  readLivestreamWithSessions,
  readOfMeeting,
  readRun,
  readRuns,
  readSwitched
} from '../../contract/contract-livestreams.ts'
import type { Provider } from '../../provider.ts'
import type { Send, VendorAnswer, VendorCall } from '../../transport/call.ts'

/** An operation of a Provider on livestreams, or on their runs, as a function that is also told how to send. */
type Operation<Name extends keyof Provider> = (
  send: Send,
  ...asked: Parameters<Provider[Name]>
) => ReturnType<Provider[Name]>

export const findLivestream: Operation<'findLivestream'> = async (send, id, page, signal) => {
  const call = { method: 'GET', path: path`/livestreams/${id}` + queryOf(page), signal } as const
  const { status, body } = await send(call, [404])
  if (status === 404) return null
  const answer = readLivestreamWithSessions(body)
  expectId('livestream', id, answer.livestream.id)
  for (const session of answer.sessions) expectId('livestream', id, session.livestream_id ?? id)
  return { ...answer, livestream: { ...answer.livestream, id }, sessions: answer.sessions.map(run => runOf(id, run)) }
}

export const createLivestream: Operation<'createLivestream'> = async (send, wish, signal) => {
  const { body } = await send({ method: 'POST', path: path`/livestreams`, body: wish, signal })
  return readSuccess(() => {
    const livestream = readLivestream(body)
    expectPlainId('livestream', livestream.id)
    if (livestream.meeting_id != null) throw new UpstreamMalformed({ cause: new Error("a meeting's livestream") })
    return { ...livestream, meeting_id: null }
  })
}

export const setEnabled: Operation<'setEnabled'> = (send, id, enabled, signal) => {
  const target = path`/livestreams/${id}` + (enabled ? '/enable' : '/disable')
  return changed(send, { method: 'PUT', path: target, signal }, id, readSwitched)
}

export const resetStreamKey: Operation<'resetStreamKey'> = (send, id, signal) =>
  changed(send, { method: 'POST', path: path`/livestreams/${id}/reset-stream-key`, signal }, id, readLivestream)

async function changed(
  send: Send,
  call: VendorCall,
  id: string,
  read: (body: unknown) => LivestreamWithKey
): Promise<LivestreamWithKey> {
  const answer = await send(call, [404])
  if (answer.status === 404) throw await notThere(send, answer, call.signal, id)
  return readSuccess(() => {
    const livestream = read(answer.body)
    expectId('livestream', id, livestream.id)
    return { ...livestream, id }
  })
}

/** Contract L1 lacks these paths, and is expected to say so as it says that an id is unknown (contract#l1-missing-paths). A look tells. */
async function notThere(send: Send, answer: VendorAnswer, signal: AbortSignal, id: string): Promise<Error> {
  const found = await findLivestream(send, id, { pageNo: 1, perPage: 1 }, signal).catch(() => null)
  return found === null ? new LivestreamNotFound(saidIn(answer)) : new NotOffered({ outcome: 'failed' })
}

export const findOfMeeting: Operation<'findOfMeeting'> = async (send, meetingId, page, signal) => {
  const answer = await get(send, path`/meetings/${meetingId}/livestream` + queryOf(page), signal)
  const found = answer && readOfMeeting(answer.body)
  if (found === null) return null
  // It shows a stream key: an answer that doesn't say whose it is might be another tenant's.
  expectId('meeting', meetingId, found.livestream.meeting_id ?? 'none')
  expectPlainId('livestream', found.livestream.id)
  for (const run of found.sessions)
    expectId('livestream', found.livestream.id, run.livestream_id ?? found.livestream.id)
  return found
}

export const findActiveRun: Operation<'findActiveRun'> = async (send, id, signal) => {
  const answer = await get(send, path`/livestreams/${id}/active-livestream-session`, signal)
  if (answer === null) {
    // A vendor that knows runs shows one for each livestream that is live. L1 has none of this (contract#l1-no-runs).
    const found = await findLivestream(send, id, { pageNo: 1, perPage: 1 }, signal)
    if (found?.livestream.status === 'LIVE' && found.sessions.length === 0) throw new NotOffered()
    return null
  }
  const found = readActiveRun(answer.body)
  if (found === null) return null
  expectId('livestream', id, found.livestream.id)
  expectId('livestream', id, found.session.livestream_id ?? id)
  return { livestream: { ...found.livestream, id }, session: runOf(id, found.session) }
}

export const findRun: Operation<'findRun'> = async (send, id, signal) => {
  const answer = await get(send, path`/livestreams/sessions/${id}`, signal)
  if (answer === null) return null
  const run = readRun(answer.body)
  expectId('livestream session', id, run.id)
  return { ...run, id }
}

export const findRunsOfSession: Operation<'findRunsOfSession'> = async (send, sessionId, page, signal) => {
  const answer = await get(send, path`/sessions/${sessionId}/livestream-sessions` + queryOf(page), signal)
  return answer && readRuns(answer.body)
}

/** Null for a 404. */
async function get(send: Send, target: string, signal: AbortSignal): Promise<{ body: unknown } | null> {
  const { status, body } = await send({ method: 'GET', path: target, signal }, [404])
  return status === 404 ? null : { body }
}

function queryOf({ pageNo, perPage }: Page): string {
  return `?page_no=${pageNo}&per_page=${perPage}`
}
