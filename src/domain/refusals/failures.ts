/**
 * The catalogue of every error that a caller can see. A status, a slug, a public sentence; nothing private.
 * The reason inside goes into `cause` and from there to the log alone. Plain classes that know no framework,
 * so every room may import them.
 */

/** Whether a mutation that ended in a 5xx happened at the vendor. */
export type Outcome = 'not_sent' | 'failed' | 'unknown'

/** One thing that was wrong with the input: `field` is a JSON-pointer-like path (`body.name`), `message` says what it must be. */
export interface FailureDetail {
  field: string
  message: string
}

export interface FailureOptions {
  cause?: unknown
  outcome?: Outcome | undefined
  details?: FailureDetail[] | undefined
  /** The status that the vendor answered with, for the audit log. */
  upstreamStatus?: number | undefined
  /** The vendor's own words, cleaned (`upstream/contract/vendor-words.ts`). For log, audit event and operation; a caller never sees them. */
  upstreamReason?: string | undefined
  /** Seconds after which it is worth to ask again; becomes `Retry-After`. */
  retryAfterSeconds?: number | undefined
  /** Replaces the catalogue's sentence where a more exact one helps the caller. Public. */
  message?: string
}

/** Facts about a failure for the documentation. */
export interface FailureDoc {
  readonly status: number
  readonly type: string
  readonly message: string
}

/** Any failure that a caller may see. */
export class Failure extends Error {
  readonly status: number
  readonly type: string
  readonly outcome: Outcome | undefined
  readonly details: FailureDetail[] | undefined
  readonly retryAfterSeconds: number | undefined
  readonly upstreamStatus: number | undefined
  readonly upstreamReason: string | undefined

  constructor(
    doc: FailureDoc,
    { cause, message, outcome, details, retryAfterSeconds, upstreamStatus, upstreamReason }: FailureOptions
  ) {
    // Where a refusal was thrown is of no interest, and finding it out costs more than refusing.
    const limit = Error.stackTraceLimit
    if (doc.status < 500) Error.stackTraceLimit = 0
    super(message ?? doc.message, { cause })
    Error.stackTraceLimit = limit
    this.status = doc.status
    this.type = doc.type
    this.outcome = outcome
    this.details = details
    this.retryAfterSeconds = retryAfterSeconds
    this.upstreamStatus = upstreamStatus
    this.upstreamReason = upstreamReason
  }
}

/** The `error` of the envelope, as a caller sees it. */
export interface FailureBody {
  readonly code: number
  readonly type: string
  readonly message: string
  readonly request_id: string
  readonly outcome?: Outcome
  readonly details?: FailureDetail[]
}

export function failureBody(failure: Failure, requestId: string, outcome = failure.outcome): FailureBody {
  const { status, type, message, details } = failure
  return {
    code: status,
    type,
    message,
    request_id: requestId,
    ...(outcome && { outcome }),
    ...(details && { details })
  }
}

/** The same failure, saying whether the mutation happened. */
export function withOutcome(failure: Failure, outcome: Outcome): Failure {
  const { message, cause, details, retryAfterSeconds, upstreamStatus, upstreamReason } = failure
  const options = { details, retryAfterSeconds, upstreamStatus, upstreamReason }
  return new Failure(failure, { message, cause, outcome, ...options })
}

export interface FailureClass {
  new (options?: FailureOptions): Failure
  readonly doc: FailureDoc
}

function failure(status: number, type: string, message: string): FailureClass {
  const doc: FailureDoc = { status, type, message }
  return class extends Failure {
    static readonly doc = doc
    constructor(options: FailureOptions = {}) {
      super(doc, options)
    }
  }
}

/** Whether a failure is one of these, also after `withOutcome`. */
export function isOneOf({ type }: Failure, ...kinds: FailureClass[]): boolean {
  return kinds.some(({ doc }) => doc.type === type)
}

// 4xx: the caller can do something about it.
export const InvalidInput = failure(400, 'invalid_input', 'The request is not valid')
export const Unauthorized = failure(401, 'unauthorized', 'A valid key is needed: Bearer <key> or Basic <tenant>:<key>')
export const KeyExpired = failure(401, 'key_expired', 'The key has expired')
export const KeyRevoked = failure(401, 'key_revoked', 'The key was revoked')
export const WebhookRefused = failure(401, 'webhook_refused', 'The signature of this webhook does not prove its sender')
export const ScopeMissing = failure(403, 'scope_missing', 'The key lacks a scope that this operation needs')
export const TenantSuspended = failure(403, 'tenant_suspended', 'This tenant is suspended')
export const PresetNotAllowed = failure(403, 'preset_not_allowed', 'This tenant may not give that preset')
export const LiveLimitReached = failure(
  403,
  'live_limit_reached',
  'A limit of this tenant for what is live is reached: nothing was started'
)
export const NotFound = failure(404, 'not_found', 'No such resource')
export const MeetingNotFound = failure(404, 'meeting_not_found', 'No such meeting')
export const LivestreamNotFound = failure(404, 'livestream_not_found', 'No such livestream')
export const RunNotFound = failure(404, 'run_not_found', 'No such broadcast run')
export const NoActiveLivestream = failure(404, 'no_active_livestream', 'The meeting has no active livestream')
export const NoActiveSession = failure(404, 'no_active_session', 'Nothing goes on there now: no active session')
export const LivestreamSessionNotFound = failure(404, 'livestream_session_not_found', 'No such session of a livestream')
export const SessionNotFound = failure(404, 'session_not_found', 'No such session of a meeting')
export const WebhookNotFound = failure(404, 'webhook_not_found', 'This tenant has no webhook')
export const ParticipantNotFound = failure(404, 'participant_not_found', 'No such participant of this meeting')
export const ParticipantConflict = failure(
  409,
  'participant_conflict',
  'The meeting has a participant of this custom_participant_id with another name, picture or preset, or one is being added'
)
export const ParticipantUnsettled = failure(
  409,
  'participant_unsettled',
  'Nobody knows yet whether an earlier call has added this participant: nothing was sent'
)
export const RequestTimeout = failure(408, 'request_timeout', 'The request did not arrive in time')
export const StartUnsettled = failure(
  409,
  'start_unsettled',
  'An earlier start of this meeting is not settled yet: nothing was sent'
)
export const LiveElsewhere = failure(
  409,
  'already_live',
  'The livestream provider says that this meeting is live already, but shows no livestream: stop it first'
)
export const StillStopping = failure(
  409,
  'still_stopping',
  'The run that was stopped is still ending at the livestream provider: start again in a moment'
)
export const RunWithoutMeeting = failure(
  409,
  'run_without_meeting',
  'The run belongs to no meeting: its vendor has no stop for it, so it has no end that could be changed'
)
export const RunOver = failure(409, 'run_over', 'The run is over, or is being stopped')
export const RotationUnderWay = failure(409, 'rotation_under_way', 'The key has a successor already: use that one')
export const MeetingInactive = failure(409, 'meeting_inactive', 'The meeting is INACTIVE: activate it first')
export const LivestreamDisabled = failure(409, 'livestream_disabled', 'The livestream is disabled: enable it first')
export const IdempotencyKeyInUse = failure(
  409,
  'idempotency_key_in_use',
  'The first request with this idempotency key is not settled yet: ask again'
)
export const Resolved = failure(
  409,
  'operation_resolved',
  'The outcome of this operation was settled by hand: use a new idempotency key for another try'
)
export const PayloadTooLarge = failure(413, 'payload_too_large', 'The body is larger than 64 KiB')
export const UnsupportedMediaType = failure(415, 'unsupported_media_type', 'The body must be application/json')
export const ExpectationFailed = failure(417, 'expectation_failed', 'No expectation is known but 100-continue')
export const IdempotencyKeyReused = failure(
  422,
  'idempotency_key_reused',
  'This idempotency key was used for another request'
)
export const RateLimited = failure(429, 'rate_limited', 'Too many requests')
export const HeadersTooLarge = failure(431, 'headers_too_large', 'The header fields are too large')

// 5xx: something behind or inside Livegate.
export const Internal = failure(500, 'internal', 'Something went wrong inside the gateway')
export const NotOffered = failure(
  501,
  'not_offered_by_upstream',
  'The livestream provider of this tenant does not have this operation'
)
export const UpstreamRefused = failure(502, 'upstream_refused', 'The livestream provider refused the request')
export const UpstreamCredentialsRefused = failure(
  502,
  'upstream_credentials_refused',
  "The livestream provider refused the gateway's own credentials: its operator must look"
)
export const UpstreamFailed = failure(502, 'upstream_failed', 'The livestream provider failed')
export const UpstreamMalformed = failure(
  502,
  'upstream_malformed',
  'The livestream provider answered something that its contract does not allow'
)
export const OutcomeUnknown = failure(
  502,
  'outcome_unknown',
  'Nobody knows whether it was done: the gateway ended before the livestream provider answered'
)
export const UpstreamUnreachable = failure(502, 'upstream_unreachable', 'The livestream provider could not be reached')
export const UpstreamUnavailable = failure(
  503,
  'upstream_unavailable',
  'The livestream provider failed several times in a row: it is not asked for a moment'
)
export const UpstreamBudgetExhausted = failure(
  503,
  'upstream_budget_exhausted',
  "The organisation's share of the livestream provider's quota is used up for the moment"
)
export const UpstreamThrottled = failure(503, 'upstream_throttled', 'The livestream provider asks to slow down')
export const PresetUnreadable = failure(503, 'preset_unreadable', 'The preset could not be read: nothing was sent')
export const StopUnderWay = failure(
  503,
  'stop_under_way',
  'A stop of this meeting is under way, and too many wait for the next one: ask again'
)
export const AuditUnavailable = failure(503, 'audit_unavailable', 'It could not be recorded')
export const GatewayOverloaded = failure(503, 'gateway_overloaded', 'The gateway has more to do than it can: ask again')
export const StoreUnavailable = failure(503, 'store_unavailable', 'The store cannot be read')
export const WebhookKeyUnavailable = failure(
  503,
  'webhook_key_unavailable',
  'The key that proves webhooks cannot be had at the moment: send it again'
)
export const GatewayTooLate = failure(503, 'gateway_too_late', 'The gateway did not answer in time: it may go on')
export const ShuttingDown = failure(503, 'shutting_down', 'The gateway is shutting down: ask again')
export const UpstreamTooLate = failure(504, 'upstream_too_late', 'The livestream provider did not answer in time')
