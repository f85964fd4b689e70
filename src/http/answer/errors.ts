import { randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest, FastifySchemaValidationError } from 'fastify'
import {
  Failure,
  type FailureClass,
  type FailureDetail,
  failureBody,
  GatewayOverloaded,
  GatewayTooLate,
  HeadersTooLarge,
  Internal,
  InvalidInput,
  NotFound,
  NotOffered,
  type Outcome,
  PayloadTooLarge,
  RequestTimeout,
  UnsupportedMediaType
} from '../../domain/refusals/failures.ts'
import { isNotHonoured, isNotOffered } from '../../domain/refusals/not-offered.ts'
import { eitherTimePattern, isoTimePattern } from '../../domain/values/time-range.ts'
import { giveUpAwaited, idOver, isArriving, lingerMs } from '../connection/awaited-body.ts'
import { giveUpBody } from '../connection/dropped-body.ts'

// An import makes Node load its fetch and its WebSocket, which takes longer than all other modules of its own.
const { STATUS_CODES } = process.getBuiltinModule('node:http')

/** One door out: whatever goes wrong leaves in one envelope, and what the catalogue does not name as a bland 500. */
export function errorHandler(app: FastifyInstance): void {
  app.setErrorHandler((error, request, reply) => sendFailure(error, request, reply))
}

/**
 * Refuses paths that no route knows as soon as the head is there, since a body would be awaited for nothing. In a scope with a key its
 * hooks run first; outside, `before` is all that guards it.
 */
export function notFound(
  app: FastifyInstance,
  before?: (request: FastifyRequest, reply: FastifyReply) => Promise<void>
): void {
  // A scope of its own: hooks of the whole app would come before those of every scope with a key.
  app.register(async scope => {
    scope.addHook('onRequest', async (request, reply) => {
      await before?.(request, reply)
      refuseAddress(request)
    })
    scope.setNotFoundHandler(refuseAddress)
  })
}

function refuseAddress({ method, url }: FastifyRequest): never {
  const [path = ''] = url.split('?')
  if (isNotOffered(method, path))
    throw new NotOffered({ message: 'Livegate does not have this operation of the provider' })
  throw new NotFound()
}

/** Answers with a refusal, also before a route is found (Fastify's `frameworkErrors`). */
export function sendFailure(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  reply.send(refusal(error, request, reply))
  // The handler runs on, and its result is nobody's answer.
  if (isHandlerTimeout(error)) reply.send = () => reply
  return reply
}

/** Turns the answer into a refusal, with its status and header fields, and gives the body of it. */
export function refusal(error: unknown, request: FastifyRequest, reply: FastifyReply): object {
  const operation = request.routeOptions.schema?.operationId
  const failure = isHandlerTimeout(error) && isArriving(request) ? new RequestTimeout() : explain(error, operation)
  const { status, type, retryAfterSeconds } = failure
  const outcome = failure.outcome ?? outcomeOf(failure, request)
  const { upstreamStatus: upstream_status, upstreamReason: upstream_reason } = failure
  const vendor = upstream_status === undefined ? {} : { upstream_status, upstream_reason }
  // Without a route none of these facts is there.
  const traced = request.trace == null ? {} : { trace_id: request.trace.id }
  const facts = {
    request_id: request.id,
    operation,
    tenant: request.tenantId,
    type,
    status,
    outcome,
    ...vendor,
    ...traced
  }
  // Strangers can cause these as often as they like, and must not fill the log. What is refused for want of time must cost little.
  const isShed = type === GatewayOverloaded.doc.type
  const level = status === 401 || status === 429 || isShed ? 'debug' : 'info'
  // An operation that a vendor does not have is nobody's failure.
  if (status < 500 || status === 501 || isShed)
    request.log[level](
      { event: 'request_refused', ...facts, ...(status < 500 && { err: failure.cause }) },
      'request refused'
    )
  else request.log.error({ event: 'request_failed', ...facts, err: failure.cause ?? error }, 'request failed')
  request.failure = { type, outcome, upstreamStatus: failure.upstreamStatus }
  if (retryAfterSeconds !== undefined) reply.header('retry-after', retryAfterSeconds)
  // Not Basic: a browser would open its own dialog over a page that asks with fetch. Pages for people ask for Basic themselves.
  if (status === 401 && !reply.hasHeader('www-authenticate'))
    reply.header('www-authenticate', 'Bearer realm="livegate"')
  // A body that never ends; one that is too large is read on behind the answer, for those who only listen when all is sent.
  if (failure instanceof RequestTimeout) reply.header('connection', 'close')
  if (failure instanceof PayloadTooLarge && reply.raw.shouldKeepAlive) reply.removeHeader('connection')
  reply.code(status).header('x-request-id', request.id)
  return { success: false, error: { ...failureBody(failure, request.id, outcome), ...traced } }
}

/** Every 5xx of a mutation, and a 408, says whether it happened: what failed before its audit trail began was not sent. */
function outcomeOf(failure: Failure, request: FastifyRequest): Outcome | undefined {
  const says = failure.status >= 500 || failure instanceof RequestTimeout
  if (!says || !/^(POST|PUT|PATCH|DELETE)$/.test(request.method)) return undefined
  // The handler of a request that took too long runs on, so its outcome is not known yet.
  return request.audited || failure instanceof GatewayTooLate ? 'unknown' : 'not_sent'
}

const handlerTimeout = 'FST_ERR_HANDLER_TIMEOUT'

function isHandlerTimeout(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === handlerTimeout
}

/** Answers bytes that are no HTTP request. There is no request yet, so the answer is written by hand, and the connection ends. */
export function refuseBytes(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  if (giveUpBody(socket)) return
  const failed = bytesFailure(error.code)
  if (giveUpAwaited(socket, new failed())) return
  const { status, type, message } = failed.doc
  const id = idOver(socket) ?? randomUUID()
  const body = JSON.stringify({ success: false, error: { code: status, type, message, request_id: id } })
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: application/json; charset=utf-8\r\nx-request-id: ${id}\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`
  )
  setTimeout(() => socket.destroy(), lingerMs).unref()
}

function bytesFailure(code: string | undefined): FailureClass {
  if (code === 'HPE_HEADER_OVERFLOW') return HeadersTooLarge
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return RequestTimeout
  return InvalidInput
}

/** Fastify's own errors, in our words. */
const frameworkFailures: Record<string, FailureClass> = {
  FST_ERR_CTP_BODY_TOO_LARGE: PayloadTooLarge,
  FST_ERR_CTP_INVALID_MEDIA_TYPE: UnsupportedMediaType,
  [handlerTimeout]: GatewayTooLate
}

/** The failure of the catalogue for whatever was thrown. */
export function explain(error: unknown, operationId?: string): Failure {
  if (error instanceof Failure) return error
  if (!(error instanceof Error)) return new Internal({ cause: error })
  const { validation, validationContext, code, statusCode } = error as FastifyError
  if (validation) return explainInput(validation, validationContext ?? 'input', operationId)
  // Fastify's messages quote the address and the body, and so a key in the wrong place: as a cause they would be logged.
  const known = frameworkFailures[code]
  if (known !== undefined) return new known(known.doc.status < 500 ? {} : { cause: error })
  if (code === 'FST_ERR_BAD_URL') return badInput('path', 'is not a valid address')
  // Comes from the static files of the documentation.
  if (statusCode === 403 || statusCode === 404) return new NotFound()
  if (statusCode === 400) return badInput('body', 'is not valid JSON')
  return new Internal({ cause: error })
}

function badInput(field: string, message: string): Failure {
  return new InvalidInput({ details: [{ field, message }] })
}

const words: Record<string, string> = { params: 'path', querystring: 'query', headers: 'header' }

/** Each problem once, with its field: typebox tells of a misspelt field twice, and of a union once for each branch. */
function explainInput(problems: FastifySchemaValidationError[], context: string, operationId?: string): Failure {
  const root = words[context] ?? context
  const details = new Map<string, FailureDetail>()
  const tell = (field: string, message: string): unknown => details.set(field, { field, message })
  for (const { instancePath, keyword, message, params } of withoutOtherBranches(problems)) {
    const here = fieldName(root + instancePath)
    if (keyword === 'boolean') {
      // The schema of every unknown field is `false`. (`additionalProperties` sums them up, unless they are so many that it is cut off.)
      const isKnown = isNotHonoured(operationId, here)
      tell(here, isKnown ? 'is a field of the provider that Livegate does not have' : 'is not a known field')
    } else if (keyword === 'required') {
      const missing = params.requiredProperties
      for (const name of Array.isArray(missing) ? missing : []) tell(`${here}.${name}`, 'is missing')
    } else if (keyword === 'enum' && Array.isArray(params.allowedValues)) {
      tell(here, `must be one of ${params.allowedValues.join(', ')}`)
    } else if (params.pattern === isoTimePattern) {
      tell(here, 'must be ISO 8601 with its zone, like 2026-11-20T09:30:00Z, or a day')
    } else if (params.pattern === eitherTimePattern) {
      tell(here, 'must be ISO 8601 with its zone, a day, or Unix seconds')
    } else if (keyword !== 'anyOf' && keyword !== 'additionalProperties' && !details.has(here)) {
      tell(here, message ?? 'is not valid')
    }
  }
  return new InvalidInput({ details: [...details.values()].slice(0, 20) })
}

/** Leaves out that one branch of a union wants `null`, where another takes the value but for something inside it. */
function withoutOtherBranches(problems: FastifySchemaValidationError[]): FastifySchemaValidationError[] {
  const unions = problems.filter(({ keyword }) => keyword === 'anyOf').map(({ instancePath }) => instancePath)
  const isInside = ({ instancePath, keyword }: FastifySchemaValidationError, path: string): boolean =>
    instancePath.startsWith(`${path}/`) || (instancePath === path && keyword === 'required')
  const entered = new Set(unions.filter(path => problems.some(one => isInside(one, path))))
  return problems.filter(({ instancePath, keyword }) => keyword !== 'type' || !entered.has(instancePath))
}

/** `body.title` for the JSON pointer `body/title`; cut, since an unknown name may be as long as its sender likes. */
function fieldName(pointer: string): string {
  return pointer.replaceAll('/', '.').replaceAll('~1', '/').replaceAll('~0', '~').slice(0, 256)
}
