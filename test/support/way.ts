/** A way to a server that can be broken: what goes either way is held back, let on late, or cut off. */
import { once } from 'node:events'
import { createServer, connect as dial, type Server, type Socket } from 'node:net'

export interface Way {
  readonly port: number
  /** All that goes back takes so long from now on. */
  delay(ms: number): void
  /** From now on nothing of that direction arrives on the connections that there are. */
  hold(direction: 'there' | 'back'): void
  /** Nothing arrives any more, on new connections either: as with a server that stands still. */
  freeze(): void
  /** Lets all that was held back arrive now, also where its sender is gone. */
  letOn(): void
  /** Leads new connections to another server. */
  leadTo(port: number): void
  /** Ends the callers' side of all connections. */
  cut(): void
  /** Cuts it, and takes no new ones. */
  down(): Promise<void>
  up(): Promise<void>
  close(): Promise<void>
}

interface Pair {
  near: Socket
  far: Socket
  held: { there: Buffer[] | null; back: Buffer[] | null }
}

export async function wayTo(to: number): Promise<Way> {
  let port = to
  const pairs = new Set<Pair>()
  let isFrozen = false
  let delayMs = 0
  const take = (near: Socket): void => {
    const far = dial(port, '127.0.0.1')
    const pair: Pair = { near, far, held: isFrozen ? { there: [], back: [] } : { there: null, back: null } }
    pairs.add(pair)
    for (const socket of [near, far]) socket.on('error', () => {})
    near.on('data', bytes => void (pair.held.there === null ? far.write(bytes) : pair.held.there.push(bytes)))
    const back = (bytes: Buffer): void =>
      void (pair.held.back === null ? near.write(bytes) : pair.held.back.push(bytes))
    far.on('data', bytes => (delayMs === 0 ? back(bytes) : void setTimeout(back, delayMs, bytes)))
    far.on('close', () => near.destroy())
    // The server does not hear of an end while something is held back from it.
    near.on('close', () => pair.held.there ?? far.destroy())
  }
  let server: Server | undefined
  const listen = async (at: number): Promise<number> => {
    server = createServer(take).listen(at, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as { port: number }).port
  }
  const own = await listen(0)
  const cut = (): void => {
    for (const { near } of pairs) near.destroy()
  }
  const down = async (): Promise<void> => {
    const closed = new Promise(resolve => server?.close(resolve))
    cut()
    await closed
  }
  return {
    port: own,
    delay(ms) {
      delayMs = ms
    },
    hold(direction) {
      for (const { held, near } of pairs) if (!near.destroyed) held[direction] ??= []
    },
    freeze() {
      isFrozen = true
      for (const { held } of pairs) {
        held.there ??= []
        held.back ??= []
      }
    },
    letOn() {
      isFrozen = false
      for (const { near, far, held } of pairs) {
        for (const bytes of held.there ?? []) far.write(bytes)
        for (const bytes of held.back ?? []) near.write(bytes)
        Object.assign(held, { there: null, back: null })
        if (near.destroyed) far.end()
      }
    },
    leadTo(other) {
      port = other
    },
    cut,
    down,
    async up() {
      await listen(own)
    },
    async close() {
      await down()
      for (const { far } of pairs) far.destroy()
    }
  }
}
