import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { type Idempotency, isRepeated, type Operation } from '../../domain/operation.ts'
import { IdempotencyKeyInUse, IdempotencyKeyReused, InvalidInput } from '../../domain/refusals/failures.ts'
import { isMutating, type Wrapper } from './wrap-handlers.ts'

export interface IdempotencyDeps {
  operations: { findByKey(keyFingerprint: string): Promise<Operation | null> }
  /** Tries to find out the outcome of an operation. */
  reconcileNow(operationId: string): Promise<void>
  /** Makes a keyed fingerprint, so that a reader of the store learns nothing of keys and bodies. */
  fingerprint(kind: 'idempotency_key' | 'request', text: string): string
}

const header = 'idempotency-key'
const maxLength = 255

/** A structured-field string (RFC 9651, section 3.3.3); a bare token is what many clients send. */
const quoted = /^"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"$/
const bare = /^[A-Za-z0-9._~:/+=*-]+$/

/**
 * `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header) on every mutating route: the same key with the same request
 * has the first answer again, without its secrets, for a week and whatever has happened since. What was not
 * executed is not remembered, so that the key can be used for another try.
 * Gives the wrapper that does so around a handler.
 */
export function idempotency(app: FastifyInstance, { operations, reconcileNow, fingerprint }: IdempotencyDeps): Wrapper {
  /** The requests under way in this process, each with what came under its key before; across processes the store's index holds. */
  const running = new Map<string, { requestFingerprint: string; earlier: Promise<Operation | null> }>()

  app.addHook('onRoute', route => {
    if (isMutating(route.method)) route.schema = { ...route.schema, headers: described }
  })

  app.addHook('preValidation', async request => {
    if (request.headers[header] !== undefined && !isMutating(request.method)) {
      throw invalid('is for calls that change something')
    }
  })

  /** Does the work unless it was asked for before, and holds the key meanwhile, also when its caller has hung up. */
  async function once(
    asked: Idempotency,
    request: FastifyRequest,
    reply: FastifyReply,
    work: () => unknown
  ): Promise<unknown> {
    const { keyFingerprint, requestFingerprint } = asked
    const first = running.get(keyFingerprint)
    const entry = first ?? { requestFingerprint, earlier: operations.findByKey(keyFingerprint) }
    if (first === undefined) running.set(keyFingerprint, entry)
    try {
      const earlier = await entry.earlier.catch(error => {
        // A stop goes on without a store, and then without its memory.
        if (request.routeOptions.config.rule?.limit === 'never') return null
        throw error
      })
      if (earlier !== null) return replay(await settled(earlier), asked, request, reply)
      if (first === undefined) return await work()
      throw first.requestFingerprint === requestFingerprint ? inUse() : new IdempotencyKeyReused()
    } finally {
      if (first === undefined) running.delete(keyFingerprint)
    }
  }

  /**
   * Tries what is being repeated at once for a caller who asks again, and not after its next pause. A stop whose caller was
   * answered is only being watched.
   */
  async function settled(operation: Operation): Promise<Operation> {
    const { kind, state, answer } = operation
    if (!isRepeated(kind) || state !== 'unknown' || answer !== null) return operation
    await reconcileNow(operation.id)
    return (await operations.findByKey(operation.idempotency?.keyFingerprint ?? '')) ?? operation
  }

  return (handler, { method }) => {
    if (!isMutating(method)) return handler
    return async function (request, reply) {
      const key = readKey(request)
      if (key === null) return handler.call(this, request, reply)
      const asked = {
        keyFingerprint: fingerprint('idempotency_key', JSON.stringify([request.caller.tenant.id, key])),
        requestFingerprint: fingerprint('request', requestText(request))
      }
      request.caller = { ...request.caller, idempotency: asked }
      return once(asked, request, reply, () => handler.call(this, request, reply))
    }
  }
}

/** Gives the body of the answer. @throws IdempotencyKeyReused, or IdempotencyKeyInUse while there is no answer yet */
function replay(
  { idempotency, answer, runId }: Operation,
  { requestFingerprint }: Idempotency,
  request: FastifyRequest,
  reply: FastifyReply
): object {
  if (idempotency?.requestFingerprint !== requestFingerprint) throw new IdempotencyKeyReused()
  if (answer === null) throw inUse()
  const { status, body } = answer
  request.replayed = true
  // The audit log needs it: the status alone would say something else.
  if ('error' in body)
    request.failure = { type: body.error.type, outcome: body.error.outcome, upstreamStatus: undefined }
  reply.code(status).header('idempotency-replayed', 'true')
  if (runId !== null && 'data' in body) reply.header('livegate-run', runId)
  return { success: 'data' in body, ...body }
}

/** Schema for the documentation alone: `readKey` reads the header, and says more exactly what is wrong. */
const described = Type.Object({
  [header]: Type.Optional(
    Type.String({
      maxLength: 600,
      description: `Up to ${maxLength} characters, quoted or bare. The same key with the same request has the first answer again (\`Idempotency-Replayed: true\`, without stream keys) for a week; 409 while the first is under way or not settled; 422 with another request`,
      examples: ['"8e03978e-40d5-43e8-bc93-6894a57f9324"']
    })
  )
})

/** The key that a header field means, quoted or bare; null when it is none. */
export function parseIdempotencyKey(field: string): string | null {
  const [, inQuotes] = quoted.exec(field) ?? []
  const key = inQuotes?.replace(/\\(["\\])/g, '$1') ?? (bare.test(field) ? field : '')
  return key === '' || key.length > maxLength ? null : key
}

/** Null when there is none. @throws InvalidInput */
function readKey({ headers, raw }: FastifyRequest): string | null {
  if (headers[header] === undefined) return null
  // Several header fields arrive joined by commas, and the halves of two may look like one.
  const fields = raw.rawHeaders.filter((_, i, all) => i % 2 === 1 && all[i - 1]?.toLowerCase() === header)
  const key = fields.length === 1 ? parseIdempotencyKey(String(headers[header])) : null
  if (key === null) throw invalid(`must be one string in quotes, or one token, of 1 to ${maxLength} characters`)
  return key
}

/** Text of a request: the operation, its ids and its body. The path is left out, since one operation may stand in two places. */
function requestText(request: FastifyRequest): string {
  const { config, schema } = request.routeOptions
  const own = config.rule?.ofKey ? [request.caller.key.id] : []
  return JSON.stringify([schema?.operationId, request.params, ordered(request.body ?? {}), ...own])
}

/** The order of a JSON object's members means nothing. */
function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered)
  if (typeof value !== 'object' || value === null) return value
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(members.map(([name, member]) => [name, ordered(member)]))
}

function inUse() {
  return new IdempotencyKeyInUse({ retryAfterSeconds: 1 })
}

function invalid(message: string) {
  return new InvalidInput({ details: [{ field: `header.${header}`, message }] })
}
