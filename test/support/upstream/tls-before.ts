import { connect } from 'node:net'
import { createServer } from 'node:tls'
import type { TestContext } from '../gateway.ts'
import { listen } from '../listen.ts'
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
  return { port: await listen(t, server) }
}
