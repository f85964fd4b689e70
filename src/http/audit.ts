import type { FastifyInstance, FastifyRequest } from 'fastify'
import { type Ending, type Subject, toAuditEvent } from '../audit/ocsf.ts'
import type { AuditEvent, AuditOutcome } from '../domain/audit-event.ts'
import type { Clock } from '../domain/clock.ts'

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
    const ending: Ending = {
      outcome: request.failure?.outcome ?? outcomeOf(reply.statusCode),
      status: reply.statusCode,
      type: request.failure?.type,
      upstreamStatus: request.failure?.upstreamStatus,
      durationMs: reply.elapsedTime,
      streamKeyRevealed: request.streamKeyRevealed
    }
    append(toAuditEvent(subjectOf(request), ending, clock.now()))
  })
}

function outcomeOf(status: number): AuditOutcome {
  if (status < 400) return 'done'
  return status < 500 ? 'refused' : 'failed'
}

function subjectOf(request: FastifyRequest): Subject {
  const { meeting, livestream } = request
  return {
    action: request.routeOptions.schema?.operationId ?? unknownOperation,
    method: request.method,
    tenantId: request.caller?.tenant.id ?? null,
    keyId: request.keyId,
    address: request.ip,
    requestId: request.id,
    resources: [
      ...(meeting ? [{ type: 'meeting' as const, uid: meeting.id }] : []),
      ...(livestream ? [{ type: 'livestream' as const, uid: livestream.id }] : [])
    ]
  }
}
