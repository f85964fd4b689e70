import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import { createServer } from 'node:tls'
import type { TestContext } from '../gateway.ts'
import type { Certificate } from './certificates.ts'

/** TLS before a server that speaks plain HTTP, as before the simulated vendor. */
export async function before(t: TestContext, origin: string, { cert, key }: Certificate): Promise<{ port: number }> {
  const { port, hostname } = new URL(origin)
  const server = createServer({ cert, key }, socket => {
    const far = connect(Number(port), hostname)
    for (const [end, other] of [
      [socket, far],
      [far, socket]
    ] as const)
      end.on('error', () => other.destroy()).on('close', () => other.destroy())
    socket.pipe(far).pipe(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return { port: (server.address() as AddressInfo).port }
}
