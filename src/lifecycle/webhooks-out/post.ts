import { Resolver } from 'node:dns/promises'
import type { LookupFunction } from 'node:net'
import { type Address, type Network, parseAddress } from '../../domain/values/address.ts'
import { mayBeCalled } from '../../domain/values/public-address.ts'
import { type Attempt, type DeliveryError, hostnameOf } from '../../domain/webhooks/tenant-webhook.ts'

// An import of `node:http` makes Node load its fetch and its WebSocket.
const { request: requestPlain } = process.getBuiltinModule('node:http')
const { request: requestTls } = process.getBuiltinModule('node:https')

export interface PostOptions {
  /** Private networks that may be called, also without TLS. */
  networks: readonly Network[]
  /** Addresses of a name; rejects when there are none. Default: by DNS. */
  resolve?: ((name: string) => Promise<string[]>) | undefined
  /** Extra trusted certificate authorities in PEM (a test). */
  ca?: string | undefined
  /** Longest time of one attempt, from the look-up of the name on. */
  withinMs?: number | undefined
}

/** A message as it goes out. */
export interface Outgoing {
  url: string
  headers: Record<string, string>
  body: string
}

/** Sends a message once, on a connection of its own, and gives what came of it. Never rejects but with the signal's reason. */
export type Post = (message: Outgoing, signal: AbortSignal) => Promise<Attempt>

/** Longest time of one attempt. */
const attemptWithinMs = 10_000
const maxAddresses = 8
const resolveWithin = { timeout: 2_000, tries: 2 }

/**
 * The way out to addresses that strangers have named. A name is looked up, its addresses are checked, and the connection goes to one of
 * exactly these: no second look-up can lead elsewhere. No redirect is followed, no answer is read, and no proxy is used.
 */
export function poster({ networks, resolve = resolveByDns, ca, withinMs = attemptWithinMs }: PostOptions): Post {
  return async (message, signal) => {
    const startedMs = performance.now()
    const ended = (status: number | null, error: DeliveryError | null): Attempt => ({
      status,
      error,
      durationMs: Math.round(performance.now() - startedMs)
    })
    const bound = new AbortController()
    const end = (): void => bound.abort()
    const timer = setTimeout(end, withinMs)
    signal.addEventListener('abort', end)
    if (signal.aborted) end()
    try {
      const url = new URL(message.url)
      const addresses = await unlessAborted(addressesOf(hostnameOf(url), resolve), bound.signal)
      const isPlain = url.protocol === 'http:'
      const allowed = addresses.filter(address => mayBeCalled(address, { isPlain, networks })).slice(0, maxAddresses)
      if (allowed.length === 0) return ended(null, 'no_address')
      const status = await send(url, message, { allowed, ca, signal: bound.signal })
      return ended(status, errorOf(status))
    } catch {
      signal.throwIfAborted()
      return ended(null, bound.signal.aborted ? 'timeout' : 'unreachable')
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
    }
  }
}

function errorOf(status: number): DeliveryError | null {
  if (status >= 200 && status < 300) return null
  return status >= 300 && status < 400 ? 'redirect' : 'status'
}

/** Empty when there are none: to a stranger a private name is as one that does not exist. */
async function addressesOf(name: string, resolve: (name: string) => Promise<string[]>): Promise<Address[]> {
  const literal = parseAddress(name)
  if (literal !== null) return [literal]
  const texts = await resolve(name).catch(() => [])
  return texts.map(parseAddress).filter(address => address !== null)
}

/** Asks the name servers themselves: `dns.lookup` has four threads, which strangers' slow servers would take from all else. */
async function resolveByDns(name: string): Promise<string[]> {
  const resolver = new Resolver(resolveWithin)
  const found = await Promise.allSettled([resolver.resolve6(name), resolver.resolve4(name)])
  return found.flatMap(answer => (answer.status === 'fulfilled' ? answer.value : []))
}

async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const end = (): void => reject(signal.reason)
  if (signal.aborted) end()
  signal.addEventListener('abort', end, { once: true })
  return Promise.race([work, aborted]).finally(() => signal.removeEventListener('abort', end))
}

interface Way {
  allowed: readonly Address[]
  ca: string | undefined
  signal: AbortSignal
}

/** The status of the answer. Its body stays unread: it may have no end. */
function send(url: URL, { headers, body }: Outgoing, { allowed, ca, signal }: Way): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const request = (url.protocol === 'http:' ? requestPlain : requestTls)(url, {
    method: 'POST',
    headers: { ...headers, 'content-length': Buffer.byteLength(body) },
    // A connection for this request alone. It is closed with it.
    agent: false,
    lookup: only(allowed),
    signal,
    // Set here, so that no variable or flag of the process can turn it off.
    rejectUnauthorized: true,
    minVersion: 'TLSv1.2',
    ...(ca !== undefined && { ca })
  })
  request.on('response', response => {
    resolve(response.statusCode ?? 0)
    request.destroy()
  })
  request.on('error', reject)
  // Another protocol (101) closes the connection without an error.
  request.on('close', () => reject(new Error('closed without an answer')))
  request.end(body)
  return promise
}

/** A look-up that gives these addresses, whatever it is asked. For a plain address in the URL it is never asked. */
function only(addresses: readonly Address[]): LookupFunction {
  const all = addresses.map(({ text, version }) => ({ address: text, family: version }))
  return (_name, options, done) => (options.all ? done(null, all) : done(null, all[0]?.address ?? '', all[0]?.family))
}
