import type { FastifyInstance, FastifyRequest } from 'fastify'
import { type Ending, type Subject, toAuditEvent } from '../audit/ocsf.ts'
import type { AuditEvent, AuditOutcome } from '../domain/audit-event.ts'
import type { Clock } from '../domain/clock.ts'
import { isVendorId } from '../domain/id.ts'

/** Names of the calls that met no route. */
const unknownOperation = 'unknown'

/**
 * One event for each call that has not written its own: reads, and everything that was refused, a bad key too. It is appended
 * behind the answer. Mutations that went upstream have their two events from `lifecycle/recorded.ts`.
 */
export function audit(
  app: FastifyInstance,
  { append, clock }: { append(event: AuditEvent): void; clock: Clock }
): void {
  app.addHook('onResponse', async (request, reply) => {
    // Health and documentation are nobody's calls, but who is refused there is on record too.
    const open = request.routeOptions.config.rule === undefined
    if (request.recorded || (open && reply.statusCode < 400)) return
    record(request, {
      outcome: request.failure?.outcome ?? outcomeOf(reply.statusCode),
      status: reply.statusCode,
      type: request.failure?.type,
      upstreamStatus: request.failure?.upstreamStatus,
      durationMs: reply.elapsedTime,
      streamKeyRevealed: request.streamKeyRevealed
    })
  })

  // Who hangs up before the answer gets none, and `onResponse` never comes. A mutation that goes on writes its own events.
  app.addHook('onRequestAbort', async request => {
    if (request.routeOptions.config.rule !== undefined && !request.recorded) {
      const outcome = request.method === 'GET' || request.method === 'HEAD' ? 'failed' : 'unknown'
      record(request, { outcome, type: 'caller_left' })
    }
  })

  function record(request: FastifyRequest, ending: Ending): void {
    append(toAuditEvent(subjectOf(request), ending, clock.now()))
  }
}

function outcomeOf(status: number): AuditOutcome {
  if (status < 400) return 'done'
  return status < 500 ? 'refused' : 'failed'
}

/** The ids of the path are named although they may be somebody else's: a refusal that names nothing tells nothing. */
function subjectOf(request: FastifyRequest): Subject {
  const { meeting_id: meetingId, livestream_id: livestreamId } = (request.params ?? {}) as Record<string, string>
  return {
    action: request.routeOptions.schema?.operationId ?? unknownOperation,
    method: request.method,
    tenantId: request.tenantId,
    keyId: request.keyId,
    address: request.ip,
    requestId: request.id,
    resources: [
      ...(isId(meetingId) ? [{ type: 'meeting' as const, uid: meetingId }] : []),
      ...(isId(livestreamId) ? [{ type: 'livestream' as const, uid: livestreamId }] : [])
    ]
  }
}

function isId(text: string | undefined): text is string {
  return text !== undefined && isVendorId(text)
}
