import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { listenAt, unixPath } from './unix-socket.ts'

export interface Listening {
  /** The address, e.g. `http://127.0.0.1:3000`, or `unix:/run/livegate/livegate.sock`. */
  url: string
  /** Stops listening at the other addresses; `app.close` does so at the first. */
  close(): void
}

/**
 * Listens at every address of the host's name: `localhost` has one of each family. All connections come to one server, which counts them;
 * Fastify would make a second one, with none of our listeners.
 */
export async function listen(
  app: FastifyInstance,
  { host, port }: { host: string; port: number },
  addressesOf: (host: string) => Promise<{ address: string }[]> = name => lookup(name, { all: true })
): Promise<Listening> {
  const path = unixPath(host)
  if (path !== null) return { url: await listenAt(app, path), close() {} }
  if (host !== 'localhost') return { url: await app.listen({ host, port }), close() {} }
  const [first = { address: '127.0.0.1' }, ...others] = await addressesOf(host)
  const url = await app.listen({ host: first.address, port })
  const at = (app.server.address() as AddressInfo).port
  const doors: Server[] = []
  for (const { address } of others) {
    const door = createServer({ allowHalfOpen: true, noDelay: true }, socket => app.server.emit('connection', socket))
    door.listen({ host: address, port: at })
    // `localhost` may have an IPv6 address on a machine without IPv6.
    const listens = await once(door, 'listening').then(
      () => true,
      () => false
    )
    if (listens) doors.push(door)
  }
  return {
    url,
    close() {
      for (const door of doors) door.close()
    }
  }
}
