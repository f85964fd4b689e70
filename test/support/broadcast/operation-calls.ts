import { randomUUID } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { Fault } from '../../../src/simulator/simulator.ts'
import { until } from '../until.ts'
import { type MeetingModel, must } from './operation-model.ts'

/** Troubles of the vendor's answer, before the work or after it. None says no to work that was done. */
export const faults: Record<string, Fault> = {
  none: {},
  'hangs up': { hangUp: true },
  'hangs up after': { hangUp: true, afterWork: true },
  500: { status: 500 },
  '500 after': { status: 500, afterWork: true },
  408: { status: 408 },
  'garbage after': { garbage: true, afterWork: true },
  'no data after': { mutate: 'null_data', afterWork: true },
  401: { status: 401 },
  429: { retryAfterSeconds: 1 },
  422: { status: 422 },
  409: { status: 409 },
  stalls: { stall: true },
  'stalls after': { stall: true, afterWork: true },
  late: { stall: true }
}
/** Whether the vendor can be asked what is live. */
export const looks: Record<string, Fault[]> = {
  'can be asked': [],
  'cannot be asked before': [{ status: 503 }],
  'cannot be asked after': [{}, { status: 503 }]
}

/** Counts of the calls' ends, to see that all of them happen. */
export const seen = new Map<string, number>()

/** One call with its faults. Gives the answer, and how many runs the vendor has begun for it. */
export async function call(
  model: MeetingModel,
  kind: 'start' | 'stop',
  key: string | null,
  fault: string,
  look: string
) {
  const { simulator } = model.world
  const path = kind === 'start' ? model.startPath : model.stopPath
  const requestId = randomUUID()
  const from = simulator.journal.length
  simulator.failNext({ ...faults[fault], match: { method: 'POST', path: path.slice(3) } })
  const active = { method: 'GET', path: `/meetings/${model.id}/active-livestream` }
  simulator.failNext((looks[look] ?? []).map(one => ({ ...one, match: active })))
  const headers = { 'x-request-id': requestId, ...(key !== null && { 'idempotency-key': `${model.id}-${key}` }) }
  const reply = await model.call(path, headers)
  const { type, outcome } = reply.json().error ?? {}
  // It may be on its way still when the deadline has come.
  if (outcome === 'unknown') await until(() => simulator.journal.length > from, 1_000).catch(() => {})
  const sent = simulator.journal.slice(from).filter(({ target }) => target === path)
  const isLate = fault === 'late' && sent.some(entry => entry.fault?.stall)
  if (isLate) model.doLate(kind)
  const begun = kind === 'stop' ? 0 : sent.filter(({ executed }) => executed).length + Number(isLate)
  const replayed = reply.headers['idempotency-replayed'] === 'true'
  const what = [kind, reply.statusCode, type, outcome, replayed ? 'replayed' : ''].filter(Boolean).join(' ')
  seen.set(what, (seen.get(what) ?? 0) + 1)
  return { reply, requestId, begun, replayed, says: `${reply.statusCode} ${type ?? ''}`.trim(), outcome }
}
type Called = Awaited<ReturnType<typeof call>>

/** The answer that is remembered under a key decides alone. True when it did. */
export async function isRemembered(
  model: MeetingModel,
  kind: string,
  key: string | null,
  called: Called
): Promise<boolean> {
  const { says, replayed, begun, reply, requestId } = called
  const earlier = model.remembered(key)
  if (key !== null && earlier === undefined) model.calls.set(key, requestId)
  if (earlier === undefined) return mustNot(replayed, 'a replay of nothing', called)
  must(begun === 0, 'a known key began a run', called, earlier)
  const now = (await model.read()).get(earlier.id) ?? earlier
  const stored = now.answer === null ? null : { success: !now.answer.startsWith('{"error"'), ...JSON.parse(now.answer) }
  if (earlier.kind !== kind)
    must(says === '422 idempotency_key_reused', 'another request under its key', called, earlier)
  // It may have been settled in the background while it was asked for.
  else if (!replayed)
    must(says === '409 idempotency_key_in_use' && earlier.answer === null, 'no replay', called, earlier)
  else {
    must(reply.statusCode === now.answer_status, 'another status', reply, now)
    must(isDeepStrictEqual(reply.json(), stored), 'another answer', reply.body, stored)
    const before = model.replays.get(now.id) ?? reply.body
    must(reply.body === before, 'not the same bytes', reply.body, before)
    model.replays.set(now.id, reply.body)
  }
  return true
}

function mustNot(holds: boolean, what: string, ...about: unknown[]): false {
  must(!holds, what, ...about)
  return false
}

/** The outcome that a 5xx tells is that of the row, and of the vendor. */
export async function checkFailure(model: MeetingModel, { reply, outcome, requestId, begun }: Called): Promise<void> {
  const row = [...(await model.read()).values()].find(({ request_id }) => request_id === requestId)
  must(['not_sent', 'failed', 'unknown'].includes(outcome), 'a 5xx without its outcome', reply.body)
  if (outcome !== 'unknown') must(begun === 0, `${outcome}, and a run has begun`, reply.body)
  if (outcome === 'unknown') must(row !== undefined, 'an unknown outcome that nobody will find out', reply.body)
  else must(row === undefined || row.state === 'failed', 'an operation that is not failed', reply.body, row)
}
