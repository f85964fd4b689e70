import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { keyRefusal } from '../../domain/caller.ts'
import type { OwnedMeeting } from '../../domain/meeting.ts'
import {
  type Failure,
  LivestreamNotFound,
  LivestreamSessionNotFound,
  MeetingNotFound,
  RunNotFound,
  SessionNotFound,
  StoreUnavailable,
  TenantSuspended,
  Unauthorized
} from '../../domain/refusals/failures.ts'
import type { Clock } from '../../domain/values/clock.ts'
import type { Directory } from '../../store/memory/directory.ts'
import { refusal } from '../answer/errors.ts'
import { streamKeys } from '../answer/stream-keys.ts'

export interface FreshlyAllowedDeps {
  directory: Pick<Directory, 'keyByDigest' | 'tenant' | 'remembered' | 'meeting' | 'livestream'>
  clock: Pick<Clock, 'now'>
}

/** Waiting longer for the store ends in a refusal: an answer that nobody could check is none. */
const storeWithinMs = 1_000
/** Header fields that routes set, and that are true only of the answer that is withheld. */
const ofTheAnswer = ['cache-status', 'age', 'idempotency-replayed', 'livegate-run']

/**
 * Every wait is followed by a fresh check, here, where each answer passes: a call may have waited for another's start, for a
 * shared read or for the vendor, and meanwhile its key was revoked, its tenant suspended, its meeting given to somebody else.
 * Then it gets no data, whatever its handler came to. What was done stays done, and on record; the refusal is one event more.
 */
export function freshlyAllowed(app: FastifyInstance, { directory, clock }: FreshlyAllowedDeps): void {
  streamKeys(app)
  app.addHook('preHandler', (request, _reply, done) => {
    request.admitted = true
    done()
  })

  app.addHook('preSerialization', (request, reply, payload, done) => {
    // A refusal at the door holds no data.
    if (!request.admitted) return done(null, payload)
    const told = (refused: Failure | null): void =>
      done(null, refused === null || says(payload, refused) ? payload : withhold(refused, request, reply))
    const refused = callerRefused(request) ?? ownerRefused(request)
    if (refused instanceof Promise) refused.then(told, done)
    else told(refused)
  })

  function callerRefused({ caller, routeOptions }: FastifyRequest): Failure | null {
    const key = directory.keyByDigest(caller.key.digest)
    const tenant = directory.tenant(caller.tenant.id)
    const refusal = keyRefusal(key, clock.now())
    if (refusal !== null || tenant === null) return refusal ?? new Unauthorized()
    // Suspending ends what a tenant can begin, not its way to end it.
    return tenant.suspended && routeOptions.config.rule?.limit !== 'never' ? new TenantSuspended() : null
  }

  function ownerRefused(request: FastifyRequest): Failure | null | Promise<Failure | null> {
    const { meeting, livestream } = request
    const held = meeting === null || isHeld('meeting', meeting, request)
    const heldToo = livestream === null || isHeld('livestream', livestream, request)
    if (held === true && heldToo === true) return null
    if (held === false || heldToo === false) return notFound(request)
    return askStore(request)
  }

  /** Null when memory doesn't know it any more. A stop never waits for the store: then it passes. At another account its id means another meeting. */
  function isHeld(
    kind: 'meeting' | 'livestream',
    { id, upstream }: Pick<OwnedMeeting, 'id' | 'upstream'>,
    { caller, routeOptions }: FastifyRequest
  ): boolean | null {
    const owner = directory.remembered[kind](id)
    const isStop = routeOptions.config.rule?.limit === 'never'
    if (owner === undefined || (isStop && owner.upstream !== upstream)) return isStop || null
    return owner.tenantId === caller.tenant.id
  }

  /** The row has changed meanwhile, perhaps by this very call. */
  async function askStore(request: FastifyRequest): Promise<Failure | null> {
    const { caller, meeting, livestream } = request
    const tenantId = caller.tenant.id
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`not read within ${storeWithinMs} ms`)), storeWithinMs)
    })
    const looks = Promise.all([
      meeting && directory.meeting(tenantId, meeting.id),
      livestream && directory.livestream(tenantId, livestream.id)
    ])
    try {
      const [meetingNow, livestreamNow] = await Promise.race([looks, late])
      const held = (meeting === null || meetingNow !== null) && (livestream === null || livestreamNow !== null)
      // Time has passed once more.
      return held ? callerRefused(request) : notFound(request)
    } catch (cause) {
      return new StoreUnavailable({ cause })
    } finally {
      clearTimeout(timer)
    }
  }
}

/** As it would be answered if it came now. */
function notFound(request: FastifyRequest): Failure {
  const params = request.params as Record<string, string>
  if (params.livestream_session_id !== undefined) return new LivestreamSessionNotFound()
  if (params.session_id !== undefined) return new SessionNotFound()
  if (params.run_id !== undefined) return new RunNotFound()
  return params.livestream_id === undefined ? new MeetingNotFound() : new LivestreamNotFound()
}

/** True when the handler has refused it by itself, and may say more: that nothing was sent. */
function says(payload: unknown, { type }: Failure): boolean {
  const { error } = payload as { error?: { type?: string } }
  return error?.type === type
}

function withhold(refused: Failure, request: FastifyRequest, reply: FastifyReply): object {
  for (const name of ofTheAnswer) reply.removeHeader(name)
  const body = refusal(refused, request, reply)
  // Its own events tell what was done; that its caller was refused is another, behind the answer.
  request.audited = false
  request.replayed = false
  request.streamKeyRevealed = false
  return body
}
