import { hash } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteHandlerMethod } from 'fastify'
import { Type } from 'typebox'
import { IdempotencyKeyInUse, IdempotencyKeyReused, InvalidInput } from '../domain/failures.ts'
import type { Idempotency, Operation } from '../domain/operation.ts'

export interface IdempotencyDeps {
  operations: { findByKey(keyDigest: string): Promise<Operation | null> }
  /** Of a key and its tenant, for the record. */
  fingerprint(text: string): string
}

const header = 'idempotency-key'
const maxLength = 255

/** A structured-field string (RFC 9651, section 3.3.3); a bare token is what many clients send. */
const quoted = /^"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"$/
const bare = /^[A-Za-z0-9._~:/+=*-]+$/

/**
 * `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header) on every mutating route: the same key with the same request
 * has the first answer again, without its secrets, for at least a day and whatever has happened since. What was not
 * executed is not remembered, so that the key can be used for another try.
 */
export function idempotency(app: FastifyInstance, { operations, fingerprint }: IdempotencyDeps): void {
  /** The requests under way in this process; across processes and crashes the store's unique index holds. */
  const running = new Map<string, string>()

  app.addHook('onRoute', route => {
    if (!isMutating(route.method)) return
    route.schema = { ...route.schema, headers: described }
    const { handler } = route
    route.handler = async function once(request, reply) {
      const key = readKey(request)
      if (key === null) return handler.call(this, request, reply)
      const asked = { keyDigest: digest([request.caller.tenant.id, key]), requestDigest: requestDigest(request) }
      const idempotencyKeyFingerprint = fingerprint(JSON.stringify([request.caller.tenant.id, key]))
      request.caller = { ...request.caller, idempotency: asked, idempotencyKeyFingerprint }
      return claimed(asked, () => answer(asked, request, reply, handler.bind(this)))
    }
  })

  app.addHook('preValidation', async request => {
    if (request.headers[header] !== undefined && !isMutating(request.method)) {
      throw invalid('is for calls that change something')
    }
  })

  /** Holds the key while its request is under way, also when its caller has hung up. */
  async function claimed({ keyDigest, requestDigest }: Idempotency, work: () => Promise<unknown>): Promise<unknown> {
    const other = running.get(keyDigest)
    if (other !== undefined) throw other === requestDigest ? inUse() : new IdempotencyKeyReused()
    running.set(keyDigest, requestDigest)
    try {
      return await work()
    } finally {
      running.delete(keyDigest)
    }
  }

  async function answer(
    asked: Idempotency,
    request: FastifyRequest,
    reply: FastifyReply,
    handler: RouteHandlerMethod
  ): Promise<unknown> {
    const earlier = await operations.findByKey(asked.keyDigest).catch(error => {
      // A stop goes on without a store, and then without its memory.
      if (request.routeOptions.config.rule?.limit === 'never') return null
      throw error
    })
    if (earlier === null) return (handler as Handler)(request, reply)
    if (earlier.idempotency?.requestDigest !== asked.requestDigest) throw new IdempotencyKeyReused()
    if (earlier.answer === null) throw inUse()
    const { status, body } = earlier.answer
    request.replayed = true
    reply.code(status).header('idempotency-replayed', 'true')
    return reply.send({ success: 'data' in body, ...body })
  }
}

type Handler = (request: FastifyRequest, reply: FastifyReply) => unknown

/** For the documentation; what the header says is read by `readKey`, which says more exactly what is wrong. */
const described = Type.Object({
  [header]: Type.Optional(
    Type.String({
      maxLength: 600,
      description: `Up to ${maxLength} characters, quoted or bare. The same key with the same request has the first answer again (\`Idempotency-Replayed: true\`, without stream keys) for at least a day; 409 while the first is under way or not settled; 422 with another request`,
      examples: ['"8e03978e-40d5-43e8-bc93-6894a57f9324"']
    })
  )
})

/** Null when there is none. @throws InvalidInput */
function readKey(request: FastifyRequest): string | null {
  const text = request.headers[header]
  if (text === undefined) return null
  // Several header fields arrive as one, joined by commas: then it is neither of the two.
  const [, inQuotes] = typeof text === 'string' ? (quoted.exec(text) ?? []) : []
  const key = inQuotes?.replace(/\\(["\\])/g, '$1') ?? (bare.test(String(text)) ? String(text) : '')
  if (key === '') throw invalid('must be a string in quotes, or a token')
  if (key.length > maxLength) throw invalid(`must have at most ${maxLength} characters`)
  return key
}

/** What was asked: the operation, its ids and its body. Not the path, since the same operation may stand in two places. */
function requestDigest(request: FastifyRequest): string {
  return digest([request.routeOptions.schema?.operationId, request.params, ordered(request.body ?? {})])
}

/** The order of a JSON object's members means nothing. */
function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered)
  if (typeof value !== 'object' || value === null) return value
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return members.map(([name, member]) => [name, ordered(member)])
}

function digest(value: unknown): string {
  return hash('sha256', JSON.stringify(value), 'hex')
}

function isMutating(method: string | string[]): boolean {
  return [method].flat().some(one => /^(POST|PUT|PATCH|DELETE)$/.test(one))
}

function inUse() {
  return new IdempotencyKeyInUse({ retryAfterSeconds: 1 })
}

function invalid(message: string) {
  return new InvalidInput({ details: [{ field: `header.${header}`, message }] })
}
