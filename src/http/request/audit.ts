import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Ending, Subject } from '../../audit/ocsf.ts'
import type { Occurrence } from '../../audit/rollup.ts'
import type { AuditOutcome } from '../../domain/audit/audit-event.ts'
import { isVendorId } from '../../domain/id.ts'
import { NoActiveLivestream, NoActiveSession } from '../../domain/refusals/failures.ts'
import type { Clock } from '../../domain/values/clock.ts'
import type { AddressOf } from './client-address.ts'
import { parseIdempotencyKey } from './idempotency.ts'

/** Names of the calls that met no route. */
export const unknownOperation = 'unknown'

export interface AuditDeps {
  append(call: Occurrence): void
  /** Makes the fingerprint of an idempotency key and its tenant. */
  fingerprint(text: string): string
  addressOf: AddressOf
  clock: Clock
}

/**
 * Appends one event for each call that has not written its own: reads, and everything that was refused, a bad key too. It is appended
 * behind the answer. Mutations that went upstream have their two events from `lifecycle/operations/audit-trail.ts`.
 */
export function audit(app: FastifyInstance, { append, fingerprint, addressOf, clock }: AuditDeps): void {
  app.addHook('onRoute', ({ url, config, schema }) => {
    if (config?.rule !== undefined && !schema?.operationId)
      throw new Error(`the route ${url} has no operationId to be on record by`)
  })

  app.decorateRequest('recordNow', function (this: FastifyRequest, status: number): void {
    appendFor(this, { outcome: 'done', status })
    this.audited = true
  })

  app.addHook('onResponse', async (request, reply) => {
    // Health and documentation are nobody's calls, but who is refused there is on record too.
    const open = request.routeOptions.config.rule === undefined
    if (request.audited || (open && reply.statusCode < 400)) return
    appendFor(request, {
      outcome: outcomeOf(request, reply.statusCode),
      status: reply.statusCode,
      type: request.replayed ? 'replayed' : request.failure?.type,
      upstreamStatus: request.failure?.upstreamStatus,
      durationMs: reply.elapsedTime,
      streamKeyRevealed: request.streamKeyRevealed
    })
  })

  // A caller that hangs up before the answer gets none, and `onResponse` never comes. A mutation that goes on writes its own events.
  app.addHook('onRequestAbort', async request => {
    if (request.routeOptions.config.rule !== undefined && !request.audited) {
      appendFor(request, { outcome: isRead(request) ? 'failed' : 'unknown', type: 'caller_left' })
    }
  })

  function appendFor(request: FastifyRequest, ending: Ending): void {
    append({ subject: subjectOf(request, fingerprint, addressOf), ending, timeMs: clock.now() })
  }
}

function isRead({ method }: FastifyRequest): boolean {
  return method === 'GET' || method === 'HEAD'
}

const nothingLive = new Set<string | undefined>([NoActiveLivestream.doc.type, NoActiveSession.doc.type])

export function outcomeOf(request: FastifyRequest, status: number): AuditOutcome {
  const told = request.failure?.outcome
  // A caller's mistake is a refusal, also when the vendor has found it (`lifecycle/operations/audit-trail.ts` has it so).
  if (told !== undefined && !(told === 'failed' && status < 500)) return told
  // "Nothing is live" is what the caller wanted to know, and asks for all day.
  const answered = isRead(request) && nothingLive.has(request.failure?.type)
  if (status < 400 || answered) return 'done'
  return status < 500 ? 'refused' : 'failed'
}

/** The ids of the path are named although they may be somebody else's: a refusal that names nothing tells nothing. */
function subjectOf(request: FastifyRequest, fingerprint: AuditDeps['fingerprint'], addressOf: AddressOf): Subject {
  const idempotencyKey = request.headers['idempotency-key']
  return {
    action: request.routeOptions.schema?.operationId ?? unknownOperation,
    method: request.method,
    tenantId: request.tenantId,
    keyId: request.keyId,
    keyFingerprint: request.keyFingerprint,
    ...(typeof idempotencyKey === 'string' && {
      // Quoted or bare it is the same key; what is no key has a fingerprint all the same.
      idempotencyKeyFingerprint: fingerprint(
        JSON.stringify([request.tenantId, parseIdempotencyKey(idempotencyKey) ?? idempotencyKey])
      )
    }),
    address: addressOf(request).text,
    requestId: request.id,
    traceId: request.trace?.id,
    resources: resourcesOf((request.params ?? {}) as Record<string, string>)
  }
}

/** Resources that the ids of a path name. */
const named = [
  { param: 'meeting_id', type: 'meeting' },
  { param: 'livestream_id', type: 'livestream' },
  { param: 'participant_id', type: 'participant' },
  { param: 'livestream_session_id', type: 'livestream_session' },
  { param: 'session_id', type: 'session' }
] as const

function resourcesOf(params: Record<string, string>): Subject['resources'] {
  const resources: Subject['resources'] = []
  for (const { param, type } of named) {
    const uid = params[param]
    if (uid !== undefined && isVendorId(uid)) resources.push({ type, uid })
  }
  return resources
}
