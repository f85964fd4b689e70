import type { Socket } from 'node:net'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Failure } from '../../domain/refusals/failures.ts'

interface ArrivingCall {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
}

/** The last call with a body, by connection. */
const last = new WeakMap<Socket, ArrivingCall>()

/** Time for which bytes are read behind the answer to broken or late ones: a reset could overtake the answer otherwise. */
export const lingerMs = 1_000

/**
 * Looks after bodies that arrive slowly. When one is given up Fastify sees a failure of its stream, so that the call has one answer, in
 * the envelope and on record. Node would have that answer written by hand, while the call goes on waiting.
 */
export function awaitBodies(app: FastifyInstance): void {
  app.addHook('onRequest', (request, reply, done) => {
    if (isArriving(request)) last.set(request.raw.socket, { request, reply })
    done()
  })
}

/** True while the body is on its way. */
export function isArriving({ raw, headers }: Pick<FastifyRequest, 'raw' | 'headers'>): boolean {
  if (raw.complete) return false
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

/**
 * Gives up the body that arrives over this connection. True when its call answers, or has answered: then nobody else may. False when no
 * call waits for a body yet; then the broken bytes may be a head, and the caller of this answers.
 */
export function giveUpAwaited(socket: Socket, failure: Failure): boolean {
  const call = arrivingOver(socket)
  if (call?.reply.sent) socket.destroy()
  else if (call !== null && call.request.raw.listenerCount('error') > 0) {
    call.reply.raw.shouldKeepAlive = false
    call.reply.raw.on('close', () => setTimeout(() => socket.destroy(), lingerMs).unref())
    call.request.raw.emit('error', failure)
  } else return false
  return true
}

/** The id of the call whose body arrives over this connection. */
export function idOver(socket: Socket): string | undefined {
  return arrivingOver(socket)?.request.id
}

function arrivingOver(socket: Socket): ArrivingCall | null {
  const call = last.get(socket)
  return call === undefined || call.request.raw.complete ? null : call
}
