import { once } from 'node:events'
import { chmod, lstat, unlink } from 'node:fs/promises'
import { connect } from 'node:net'
import type { FastifyInstance } from 'fastify'

/** Its owner and its group may connect. */
const mode = 0o660

/** The path in `unix:/run/livegate/livegate.sock`; null for any other host. */
export function unixPath(host: string): string | null {
  return host.startsWith('unix:') ? host.slice('unix:'.length) : null
}

/**
 * Listens at a Unix socket, in the place of one that a killed gateway has left. To be called while the store is served by nobody else: the
 * gateway that left it could otherwise be one that only begins. @throws an error of `listen` when something else is there
 */
export async function listenAt(app: FastifyInstance, path: string): Promise<string> {
  await removeStale(path)
  await app.listen({ path })
  await chmod(path, mode)
  return `unix:${path}`
}

/** Removes a socket at which nobody listens. Whatever else is there stays, and `listen` will say that the place is taken. */
async function removeStale(path: string): Promise<void> {
  const found = await lstat(path).catch(() => null)
  if (found?.isSocket() !== true) return
  const socket = connect(path)
  const refused = await once(socket, 'connect').then(
    () => false,
    error => error.code === 'ECONNREFUSED'
  )
  socket.destroy()
  if (refused) await unlink(path)
}
