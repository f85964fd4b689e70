import { type TSchema, Type } from 'typebox'
import { LivestreamId, MeetingId } from '../domain/id.ts'
import { ParticipantId } from '../domain/participant.ts'
import type { FailureClass } from '../domain/refusals/failures.ts'
import * as catalogue from '../domain/refusals/failures.ts'
import { RunId } from '../domain/runs/shown-run.ts'
import { LivestreamSessionId, SessionId } from '../domain/session.ts'
import { Paging } from '../domain/values/paging.ts'

/** The vendor's envelope around what was asked for. */
export function Answer<X extends TSchema>(data: X, description: string) {
  return Type.Object({ success: Type.Literal(true), data }, { description })
}

/** The vendor's envelope around a page of a list. */
export function PagedAnswer<X extends TSchema>(item: X, description: string) {
  return Type.Object(
    { success: Type.Literal(true), data: Type.Array(item, { maxItems: 100 }), paging: Paging },
    { description }
  )
}

/** The envelope of every error, a superset of both vendors'; `Failure` in the OpenAPI document. */
export const FailureAnswer = Type.Object(
  {
    success: Type.Literal(false),
    error: Type.Object({
      code: Type.Integer({ minimum: 400, maximum: 599, description: 'The HTTP status' }),
      type: Type.String({ maxLength: 64, description: 'A stable name for what went wrong' }),
      message: Type.String({ maxLength: 1024 }),
      request_id: Type.String({ maxLength: 64 }),
      trace_id: Type.Optional(
        Type.String({
          maxLength: 32,
          description: 'The trace of the call, where it belongs to one (W3C Trace Context)'
        })
      ),
      outcome: Type.Optional(
        Type.Enum(['not_sent', 'failed', 'unknown'], {
          description: 'On every 5xx of a mutation, and on a 408: whether it happened. `unknown`: it may have'
        })
      ),
      details: Type.Optional(
        Type.Array(Type.Object({ field: Type.String({ maxLength: 256 }), message: Type.String({ maxLength: 1024 }) }), {
          maxItems: 20
        })
      )
    })
  },
  { $id: 'Failure' }
)

export const MeetingParams = Type.Object({ meeting_id: MeetingId })
export const ParticipantParams = Type.Object({ meeting_id: MeetingId, participant_id: ParticipantId })
export const LivestreamSessionParams = Type.Object({ livestream_session_id: LivestreamSessionId })
export const SessionParams = Type.Object({ session_id: SessionId })
export const RunParams = Type.Object({ run_id: RunId })
export const LivestreamParams = Type.Object({ livestream_id: LivestreamId })

/** Failures that every route behind a key can come to. */
const everywhere = [
  catalogue.InvalidInput,
  catalogue.Unauthorized,
  catalogue.KeyExpired,
  catalogue.KeyRevoked,
  catalogue.ScopeMissing,
  catalogue.TenantSuspended,
  catalogue.RateLimited,
  catalogue.Internal,
  catalogue.GatewayOverloaded,
  catalogue.StoreUnavailable,
  catalogue.GatewayTooLate,
  catalogue.ShuttingDown
]

/** Failures that every call of the vendor can come to. */
export const vendorFailures = [
  catalogue.UpstreamRefused,
  catalogue.UpstreamCredentialsRefused,
  catalogue.UpstreamFailed,
  catalogue.UpstreamMalformed,
  catalogue.UpstreamUnreachable,
  catalogue.UpstreamUnavailable,
  catalogue.UpstreamBudgetExhausted,
  catalogue.UpstreamThrottled,
  catalogue.UpstreamTooLate
]

/** Failures of a mutation that is on record and can be replayed. */
const recordedFailures = [catalogue.AuditUnavailable, catalogue.IdempotencyKeyInUse, catalogue.IdempotencyKeyReused]

/** Failures of reading a body. */
const bodyFailures = [catalogue.RequestTimeout, catalogue.PayloadTooLarge, catalogue.UnsupportedMediaType]

/** Failures that a mutation inside of Livegate can come to: no vendor is asked. */
export const ownMutationFailures = [...recordedFailures, ...bodyFailures]

/** Failures that a mutation whose body is not read can come to besides. */
export const bodilessFailures = [...vendorFailures, ...recordedFailures, catalogue.OutcomeUnknown, catalogue.Resolved]

/** The vendor may find a mistake of the caller's that Livegate has passed on: it is the caller's all the same. */
const invalidForSomebody = {
  doc: {
    ...catalogue.InvalidInput.doc,
    message:
      'The request is not valid, or the livestream provider does not accept a field of it: `details` has its words'
  }
}

/** Failures that every other mutation can come to. */
export const mutationFailures = [...bodilessFailures, invalidForSomebody, ...bodyFailures]

/** Response schemas by status, documented from the catalogue: the given failures and those that can happen everywhere. */
export function failures(...own: Pick<FailureClass, 'doc'>[]): Record<number, object> {
  const docs = new Map([...everywhere, ...own].map(({ doc }) => [doc.type, doc]))
  const byStatus = Map.groupBy(docs.values(), doc => doc.status)
  return Object.fromEntries(
    [...byStatus].map(([status, group]) => [
      status,
      {
        // In Markdown, where `<key>` would be a tag.
        description: group.map(({ type, message }) => `\`${type}\`: ${message.replaceAll('<', '\\<')}.`).join(' '),
        content: {
          'application/json': {
            schema: Type.Ref('Failure'),
            examples: Object.fromEntries(group.map(doc => [doc.type, { value: exampleOf(doc) }]))
          }
        }
      }
    ])
  )
}

function exampleOf({ status, type, message }: FailureClass['doc']): object {
  const error = { code: status, type, message, request_id: '0b6f1d1e-6f0a-4a3e-9a53-2f1b8c1f6d11' }
  return { success: false, error }
}
