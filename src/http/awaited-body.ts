import type { Socket } from 'node:net'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Failure } from '../domain/failures.ts'

interface Call {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  /** What became of the body before anybody has waited for it. */
  failure: Failure | null
}

/** Of each connection the last call with a body. */
const last = new WeakMap<Socket, Call>()
/** An answer that closes its connection waits so long for the rest of the body. */
const restWithinMs = 1_000

/**
 * Bodies that take their time. What becomes of one is told to Fastify as a failure of its stream, so that the call has one answer, in the
 * envelope and on record: Node would have it written by hand, beside the call that goes on waiting.
 */
export function awaitBodies(app: FastifyInstance, isLastAnswer: () => boolean): void {
  app.addHook('onRequest', (request, reply, done) => {
    if (isArriving(request)) last.set(request.raw.socket, { request, reply, failure: null })
    done()
  })
  app.addHook('preParsing', (request, _reply, _payload, done) => {
    const call = last.get(request.raw.socket)
    done(call?.request === request ? call.failure : null)
  })
  // Node closes behind such an answer, and a client that still sends would be told that by a reset, and not the answer.
  app.addHook('onSend', (request, _reply, _payload, done) => {
    if (isLastAnswer() && isArriving(request)) whenArrived(request, done)
    else done()
  })
}

/** True while the body is on its way; that of a stop is nothing that is waited for. */
export function isArriving({ raw, headers }: Pick<FastifyRequest, 'raw' | 'headers'>): boolean {
  if (raw.complete) return false
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

/** Gives up the body that arrives over this connection: true when its call has its answer, or will have this one. */
export function giveUpAwaited(socket: Socket, failure: Failure): boolean {
  const call = last.get(socket)
  if (call === undefined || call.request.raw.complete) return false
  const { request, reply } = call
  reply.raw.shouldKeepAlive = false
  if (reply.sent) socket.destroy()
  else if (request.raw.listenerCount('error') > 0) request.raw.emit('error', failure)
  else call.failure = failure
  return true
}

function whenArrived({ raw }: FastifyRequest, done: () => void): void {
  const arrived = (): void => {
    clearTimeout(timer)
    raw.off('end', arrived).off('close', arrived)
    done()
  }
  const timer = setTimeout(arrived, restWithinMs)
  raw.on('end', arrived).on('close', arrived).resume()
}
