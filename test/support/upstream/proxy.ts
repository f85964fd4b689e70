import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import type { TestContext } from '../gateway.ts'

export interface Proxy {
  /** E.g. `http://127.0.0.1:3128`. */
  origin: string
  /** The addresses that it was asked to open, and the method and target of other requests. */
  asked: string[]
  /** `Proxy-Authorization` of each CONNECT. */
  shown: (string | undefined)[]
  /** All bytes that went through it, both ways. */
  passed(): Buffer
  /** Tunnels that stand. */
  open(): number
}

export interface ProxyOptions {
  /** Target of every tunnel: the proxy alone knows the names. */
  port?: number
  /** Does this instead of opening a tunnel. */
  instead?(socket: Socket, request: IncomingMessage): void
}

/** An HTTP proxy that opens tunnels. */
export async function proxy(t: TestContext, { port, instead }: ProxyOptions): Promise<Proxy> {
  const asked: string[] = []
  const shown: (string | undefined)[] = []
  const chunks: Buffer[] = []
  const sockets = new Set<Socket>()
  let open = 0
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    response.writeHead(500).end()
  })
  server.on('connection', socket => {
    sockets.add(socket)
    socket.on('error', () => {}) // the other side may leave at any time
  })
  server.on('connect', (request: IncomingMessage, socket: Socket) => {
    asked.push(`CONNECT ${request.url}`)
    shown.push(request.headers['proxy-authorization'])
    if (instead !== undefined) return instead(socket, request)
    const far = connect(port ?? 0, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
      for (const end of [socket, far]) end.on('data', chunk => chunks.push(chunk))
      socket.pipe(far).pipe(socket)
    })
    open++
    far.on('error', () => socket.destroy())
    socket.on('close', () => {
      far.destroy()
      open--
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  const { port: own } = server.address() as AddressInfo
  return {
    origin: `http://127.0.0.1:${own}`,
    asked,
    shown,
    passed: () => Buffer.concat(chunks),
    open: () => open
  }
}
