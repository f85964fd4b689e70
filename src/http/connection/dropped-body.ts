import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyInstance, FastifyReply } from 'fastify'

/** Bounds of what is read behind a stop: more, or later, is left. */
const maxBytes = 1024 * 1024
const withinMs = 1_000

/** Bodies that are still on their way, each with what gives it up. */
const arriving = new WeakMap<Socket, () => void>()

/**
 * A stop has no fields, so that nothing in or about a body can be wrong with it: a client that sends `{}` as text, a form or
 * 70 KB wants its livestream stopped all the same. The call begins when its head has arrived; what follows is dropped.
 */
export function dropBodies(app: FastifyInstance): void {
  app.addHook('onRequest', (request, reply, done) => {
    if (request.routeOptions.config.rule?.limit === 'never') {
      const { raw } = request
      if (raw.headers['transfer-encoding'] !== undefined || Number(raw.headers['content-length'] ?? 0) > 0)
        drop(raw, reply)
      // Fastify then sees neither a body nor a type of one.
      request.headers = { 'content-type': undefined, 'content-length': undefined, 'transfer-encoding': undefined }
    }
    done()
  })
}

/**
 * Gives up the body that arrives over this connection, since its bytes break HTTP or take too long: true when it is that of a
 * stop. Its answer is still to be given, and then the connection ends.
 */
export function giveUpBody(socket: Socket): boolean {
  const giveUp = arriving.get(socket)
  giveUp?.()
  return giveUp !== undefined
}

function drop(body: IncomingMessage, { raw: answer }: FastifyReply): void {
  const { socket } = body
  let bytes = 0
  const count = (chunk: Buffer): void => {
    bytes += chunk.length
    if (bytes > maxBytes) giveUp()
  }
  const giveUp = (): void => {
    clearTimeout(timer)
    body.off('data', count).pause()
    // The end of the body is not known, and so neither is the beginning of the next request.
    if (answer.headersSent) socket.destroySoon()
    else answer.shouldKeepAlive = false
  }
  const timer = setTimeout(giveUp, withinMs)
  arriving.set(socket, giveUp)
  body.on('data', count)
  body.on('end', () => {
    clearTimeout(timer)
    arriving.delete(socket)
  })
  body.on('close', () => clearTimeout(timer))
}
