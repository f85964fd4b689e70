/** Calls with `wait=live`, which are answered when viewers can play. */
import type { FastifyReply, FastifyRequest, RouteHandlerMethod, RouteOptions } from 'fastify'
import type { Static } from 'typebox'
import { isSameId } from '../../domain/id.ts'
import type { LivestreamWithKey } from '../../domain/livestream.ts'
import type { OwnedMeeting } from '../../domain/meeting.ts'
import { InvalidInput, NoActiveLivestream } from '../../domain/refusals/failures.ts'
import type { Run } from '../../domain/runs/run.ts'
import { isOpenRun } from '../../domain/runs/run-moves.ts'
import { longestWaitSeconds, usualWaitSeconds, type WaitQuery } from '../../domain/runs/wait.ts'
import type { Clock } from '../../domain/values/clock.ts'

export interface WaitingDeps {
  /** Waits for the run of a livestream, or of any in the meeting. Gives it as it is then; null when the ledger knows none. */
  liveWaits: {
    until(
      awaited: { meeting: OwnedMeeting; livestreamId: string | null },
      withinMs: number,
      signal: AbortSignal
    ): Promise<Run | null>
  }
  /** The call waits from now on, and is no work any more. */
  inFlight: { release(request: FastifyRequest): void }
  clock: Pick<Clock, 'monotonic'>
  /** Beyond it a handler is stuck that does not wait. */
  handlerTimeoutMs: number
}

interface Shown {
  success: true
  data: LivestreamWithKey
}

/** Puts the wait around handlers of routes that show the livestream of a meeting. Outside of idempotency: a replay waits anew. */
export function waitForLive(deps: WaitingDeps) {
  const { liveWaits, inFlight, clock, handlerTimeoutMs } = deps

  return (handler: RouteHandlerMethod, route: RouteOptions): RouteHandlerMethod => {
    if (route.config?.rule?.lasts !== 'wait') return handler
    route.handlerTimeout = handlerTimeoutMs + longestWaitSeconds * 1_000
    return async function (request, reply) {
      const { wait, timeout } = request.query as Static<typeof WaitQuery>
      const look = async () => handler.call(this, request, reply)
      if (wait !== undefined) return waiting(look, request, reply, timeout)
      if (timeout === undefined) return look()
      throw new InvalidInput({ details: [{ field: 'query.timeout', message: 'is for wait=live' }] })
    }
  }

  async function waiting(
    look: () => Promise<unknown>,
    request: FastifyRequest,
    reply: FastifyReply,
    timeout = usualWaitSeconds
  ): Promise<unknown> {
    const endsAtMs = clock.monotonic() + timeout * 1_000
    const first = await unlessNothing(look())
    if (first !== null && (!isShown(first) || isPlayable(first.data))) return first
    inFlight.release(request)
    const left = new AbortController()
    reply.raw.once('close', () => left.abort())
    if (reply.raw.closed) left.abort()
    const awaited = { meeting: request.meeting, livestreamId: first?.data.id ?? null }
    const run = await liveWaits.until(awaited, endsAtMs - clock.monotonic(), left.signal)
    // A start shows what it has begun. A read shows what is there now, and asks for it where the ledger does not tell.
    const isKnown = first !== null && run !== null && isOpenRun(run)
    if (isKnown || left.signal.aborted || request.method === 'POST') return shownAs(first, run)
    const last = await look()
    return isShown(last) ? shownAs(last, run) : last
  }
}

/** Null when nothing is live. */
async function unlessNothing(answer: Promise<unknown>): Promise<unknown> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof NoActiveLivestream) return null
    throw error
  }
}

/** The replay of a refusal is none. */
function isShown(answer: unknown): answer is Shown {
  return typeof answer === 'object' && answer !== null && 'data' in answer
}

function isPlayable({ status, playback_url }: LivestreamWithKey): boolean {
  return status === 'LIVE' && playback_url != null
}

/** The livestream as the ledger knows its run, which may be newer. */
function shownAs(answer: Shown | null, run: Run | null): Shown | null {
  if (answer === null || run?.livestreamId == null || !isSameId(run.livestreamId, answer.data.id)) return answer
  const status = statuses[run.status] ?? answer.data.status
  return {
    ...answer,
    data: { ...answer.data, status, playback_url: run.playbackUrl ?? answer.data.playback_url ?? null }
  }
}

/** The vendor's words. A run that is not on air yet is shown as it was. */
const statuses: Partial<Record<Run['status'], string>> = { live: 'LIVE', ended: 'IDLE', errored: 'ERRORED' }
