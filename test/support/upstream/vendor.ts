import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import { createServer as createRawServer, type Socket } from 'node:net'
import { Failure } from '../../../src/domain/refusals/failures.ts'
import { systemClock } from '../../../src/domain/values/clock.ts'
import { Secret } from '../../../src/domain/values/secret.ts'
import { openUpstream } from '../../../src/upstream/account/open-upstream.ts'
import type { Provider } from '../../../src/upstream/provider.ts'
import type { VendorAnswer, VendorCall } from '../../../src/upstream/transport/call.ts'
import { UpstreamClient } from '../../../src/upstream/transport/client.ts'
import { accountOf } from '../account.ts'
import type { TestContext } from '../gateway.ts'
import { listen } from '../listen.ts'

export interface Vendor {
  url: string
  port: number
  /** Requests in the order in which they arrived. */
  requests: IncomingMessage[]
}

/** A server that answers as the test says, for what the simulator can't be made to do. */
export async function vendor(t: TestContext, answer: RequestListener): Promise<Vendor> {
  const requests: IncomingMessage[] = []
  const server = createServer((request, response) => {
    requests.push(request)
    answer(request, response)
  })
  const port = await listen(t, server)
  return { url: `http://127.0.0.1:${port}/v2`, port, requests }
}

/** A server that speaks bytes: what it sends need not be HTTP. */
export async function rawVendor(t: TestContext, answer: (socket: Socket, received: string) => void): Promise<Vendor> {
  const sockets = new Set<Socket>()
  const server = createRawServer(socket => {
    sockets.add(socket)
    socket.on('error', () => {}) // the other side may leave at any time
    socket.on('data', data => answer(socket, String(data)))
  })
  const port = await listen(t, server)
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
  })
  return { url: `http://127.0.0.1:${port}/v2`, port, requests: [] }
}

/** An address on which nobody listens, and nobody will: the port is taken, on the next address. */
export async function nobody(t: TestContext, address = '127.77.0.1'): Promise<string> {
  const { port } = await rawVendor(t, () => {})
  return `http://${address}:${port}/v2`
}

/** A client of the given address, whose calls carry credentials made up for this run. */
export function clientOf(
  t: TestContext,
  url: string,
  ca?: string,
  options: { keepAlive?: boolean } = {}
): { call(question: VendorCall, expected?: readonly number[]): Promise<VendorAnswer>; close(): Promise<void> } {
  const authorization = new Secret(`Basic ${randomBytes(12).toString('base64')}`)
  const client = new UpstreamClient({ ...options, baseUrl: new URL(url), ...(ca !== undefined && { ca }) })
  t.teardown(() => client.close())
  return {
    call: (question, expected) => client.call({ ...question, authorization }, expected),
    close: () => client.close()
  }
}

export interface AccountOptions {
  url: string
  org: string
  key: string
  ca?: string
}

/** The vendor at this address, with more quota than any test needs. */
export function providerAt(t: TestContext, { url, org, key, ca }: AccountOptions): Provider {
  const upstream = openUpstream({
    account: accountOf({ url, org, key }),
    deadlineMs: 60_000,
    clock: systemClock,
    ...(ca !== undefined && { ca })
  })
  t.teardown(() => upstream.close())
  return upstream.on({ tenantId: 'acme', priority: 'mutation' })
}

/** The failure of a call; it must be one of the catalogue. */
export async function failureOf(call: Promise<unknown>): Promise<Failure> {
  const error = await call.then(
    () => null,
    (reason: unknown) => reason
  )
  if (!(error instanceof Failure)) throw new Error('it did not fail as the catalogue says', { cause: error })
  return error
}
