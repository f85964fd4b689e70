import type { FastifyInstance } from 'fastify'
import type { Caller } from '../../domain/caller.ts'
import type { OwnedLivestream } from '../../domain/livestream.ts'
import type { OwnedMeeting } from '../../domain/meeting.ts'
import type { Outcome } from '../../domain/refusals/failures.ts'
import type { Run } from '../../domain/runs/run.ts'
import type { Scope } from '../../domain/scope.ts'
import type { Trace } from '../../tracing/trace.ts'

/** Rule that every route behind a key declares; one that declares nothing is refused while it is registered. */
export interface RouteRule {
  /** Scope that the caller's key must have. */
  scope: Scope
  /** Limit of the tenant that the call counts against. `never`: no limit refuses it; it may count as a write afterwards. */
  limit: 'read' | 'write' | 'never'
  /** A stream goes on until somebody ends it; a call may wait for what its query names. Neither counts as work in flight meanwhile. */
  lasts?: 'stream' | 'wait'
  /** The call is about its own key: the same call with another key is another request. */
  ofKey?: true
}

declare module 'fastify' {
  interface FastifyRequest {
    /** The caller; set by `authenticate`, so it is there in every route behind a key and nowhere else. */
    caller: Caller
    /** The meeting of the path, proved to be the caller's; in routes with `:meeting_id`, or the `:session_id` or `:run_id` of one. */
    meeting: OwnedMeeting
    /** The livestream of the path, proved to be the caller's; in routes with `:livestream_id`, or the `:livestream_session_id` of one. */
    livestream: OwnedLivestream
    /** The run of the path, proved to be the caller's; in routes with `:run_id`. */
    run: Run
    /** True once caller, meeting and livestream are proved. */
    admitted: boolean
    /** The id of the key that was shown, valid or not. */
    keyId: string | null
    /** Fingerprint of the credential that was shown. */
    keyFingerprint: string | null
    /** Tenant of the key; known as well when the key is revoked or has expired. */
    tenantId: string | null
    /** The trace of the call; null where there is none, and before its caller is known. */
    trace: Trace | null
    /** Reason of a failure, for the audit log. */
    failure: { type: string; outcome: Outcome | undefined; upstreamStatus: number | undefined } | null
    /** True when the mutation has written its own audit events. */
    audited: boolean
    /** True when the answer is one that was given before, to the same idempotency key. */
    replayed: boolean
    /** True when the answer holds a stream key. */
    streamKeyRevealed: boolean
    /** Adds the event of this call now: its answer has begun, and ends some day. */
    recordNow(status: number): void
  }
  interface FastifyContextConfig {
    rule?: RouteRule
  }
}

const requestIdPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/

/** A caller's request id is taken over when it is short and plain; it goes into logs and records. */
export function plainId(header: string | string[] | undefined): string | null {
  return typeof header === 'string' && requestIdPattern.test(header) ? header : null
}

/** Facts about the request that hooks set, and its id on the answer. `caller`, `meeting` and `livestream` are there wherever a route can ask for them. */
export function decorateRequests(app: FastifyInstance): void {
  const facts = ['caller', 'meeting', 'livestream', 'run', 'keyId', 'keyFingerprint', 'tenantId', 'trace', 'failure']
  for (const fact of facts) app.decorateRequest(fact, null)
  for (const flag of ['admitted', 'audited', 'replayed', 'streamKeyRevealed']) app.decorateRequest(flag, false)
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id)
    done()
  })
}
