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
