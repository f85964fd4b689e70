/** A TLS front before a simulated vendor, which holds a connection back before the first byte of its request can come. */
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { createServer as createSecure } from 'node:tls'
import type { TestContext } from '../test-context.ts'
import { makeCertificate } from '../upstream/certificates.ts'

export interface Front {
  /** The vendor's address through it. */
  url: string
  /** A file with the authority that it is known by. */
  ca: string
  /** Called when a connection has begun, and its caller waits for the handshake to go on. */
  onHello: () => Promise<void>
}

export async function front(t: TestContext, vendorUrl: string, folder: string): Promise<Front> {
  const authority = makeCertificate({ name: 'the front' })
  const { cert, key } = makeCertificate({ name: 'vendor', issuer: authority, address: '127.0.0.1' })
  const { port, pathname } = new URL(vendorUrl)
  const sockets = new Set<Socket>()
  const kept = (socket: Socket): Socket => {
    sockets.add(socket)
    return socket.on('error', () => {})
  }
  const secure = createSecure({ cert, key }, stream => {
    kept(stream)
      .pipe(kept(connect(Number(port), '127.0.0.1')))
      .pipe(stream)
  })
  secure.on('tlsClientError', () => {})
  const server = createServer(socket => {
    kept(socket).once('data', async hello => {
      socket.pause()
      await made.onHello()
      socket.unshift(hello)
      secure.emit('connection', socket)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  const ca = join(folder, 'front-ca.pem')
  writeFileSync(ca, authority.cert)
  const { port: own } = server.address() as AddressInfo
  const made: Front = { url: `https://127.0.0.1:${own}${pathname}`, ca, onHello: async () => {} }
  return made
}
