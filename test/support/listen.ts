import { once } from 'node:events'
import type { AddressInfo, Server } from 'node:net'
import type { TestContext } from './test-context.ts'

/** Lets a server listen on a free port of this machine, until the test ends. Gives the port. */
export async function listen(
  t: Pick<TestContext, 'teardown'>,
  server: Server & { closeAllConnections?(): void }
): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections?.()
  })
  return (server.address() as AddressInfo).port
}

let port = 20_000

/**
 * Where another program may listen whose port can't be asked for: an address of this process alone and a port of each call. A free
 * port of 127.0.0.1 could be taken by a neighbour before that program listens.
 */
export function ownPlace(): { host: string; port: number } {
  const { pid } = process
  port += 1
  return { host: `127.${1 + ((pid >>> 16) & 127)}.${(pid >>> 8) & 255}.${pid & 255}`, port }
}
