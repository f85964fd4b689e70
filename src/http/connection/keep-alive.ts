import type { FastifyInstance, FastifyReply } from 'fastify'
import { ShuttingDown } from '../../domain/refusals/failures.ts'
import type { Connections } from './connections.ts'

/** Tells each caller how long its connection is kept. Gives what does so on an answer that no hook has seen. */
export function keepAlive(app: FastifyInstance, connections: Pick<Connections, 'watch' | 'hint'>) {
  connections.watch(app.server)
  const hint = (reply: FastifyReply): void => {
    const value = connections.hint(reply.raw)
    if (value !== null) reply.header('keep-alive', value)
  }
  app.addHook('onSend', (_request, reply, _payload, done) => {
    hint(reply)
    done()
  })
  return hint
}

/** Refuses new calls while the gateway ends. */
export function refuseWhileDraining(app: FastifyInstance, draining: () => boolean): void {
  app.addHook('onRequest', async () => {
    if (draining()) throw new ShuttingDown({ retryAfterSeconds: 1 })
  })
}
