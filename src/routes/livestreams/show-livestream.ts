/** How a livestream is shown: to each caller what it may see, and with `wait=live` when it is on air. */
import type { FastifyReply, FastifyRequest, RouteHandlerMethod, RouteOptions } from 'fastify'
import { type Static, Type } from 'typebox'
import { revealsKey, shownTo } from '../../domain/caller.ts'
import { isSameId } from '../../domain/id.ts'
import type { LivestreamWithKey } from '../../domain/livestream.ts'
import { InvalidInput, NoActiveLivestream } from '../../domain/refusals/failures.ts'
import type { Run } from '../../domain/runs/run.ts'
import { isOpenRun } from '../../domain/runs/run-moves.ts'
import type { Clock } from '../../domain/values/clock.ts'
import type { LiveWaits } from '../../lifecycle/push/live-waits.ts'

/** The livestream as this caller may see it. An answer that lets its reader broadcast is kept by no cache, and on record as such. */
export function showLivestream(
  request: FastifyRequest,
  reply: FastifyReply,
  livestream: LivestreamWithKey
): LivestreamWithKey {
  const shown = shownTo(request.caller, livestream)
  request.streamKeyRevealed = revealsKey(shown)
  if (request.streamKeyRevealed) reply.header('cache-control', 'no-store')
  return shown
}

const longestSeconds = 60
const usualSeconds = 30

export const WaitQuery = Type.Object(
  {
    wait: Type.Optional(
      Type.Enum(['live'], { description: 'Answer when viewers can play, or when `timeout` is over' })
    ),
    timeout: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: longestSeconds,
        description: `Seconds from the arrival of the call; ${usualSeconds} unless given. Needs \`wait\``
      })
    )
  },
  { additionalProperties: false }
)

export const waitDescription =
  'With `wait=live` the answer comes when the run is LIVE and its playback address known, when it is over, or with the present state at the time-out.'

export interface WaitingDeps {
  liveWaits: Pick<LiveWaits, 'until'>
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
    route.handlerTimeout = handlerTimeoutMs + longestSeconds * 1_000
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
    timeout = usualSeconds
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
