import type { Socket } from 'node:net'
import type { FastifyBaseLogger, FastifyRequest } from 'fastify'
import { type Address, contains, type Network, parseAddress, unixPeer } from '../../domain/values/address.ts'

/** The address that a call came from, as far as it can be believed. */
export type AddressOf = (request: FastifyRequest) => Address

/** Addresses by connection, which often carries many requests. */
const peers = new WeakMap<Socket, Address>()

/** Largest number of proxies, one behind the other, that are looked through. */
const maxHops = 32
/** Some proxies write a client's port behind its address: `203.0.113.7:51234`, `[2001:db8::5]:4711` (RFC 7239, section 6, has the form). */
const withPort = /^(?:(?<v4>[\d.]+)(?::\d{1,5})?|\[(?<v6>[\da-f:.]+)\](?::\d{1,5})?)$/i

/**
 * `X-Forwarded-For`, read from its end: what a trusted proxy has written there is believed, and nothing that stands before an
 * address which is not trusted itself. What is no address is not believed either: then it is the last one that was, and all clients
 * behind that proxy count as one: `onUnreadable` is told so once, with the proxy. No other field is read. (Not Fastify's `trustProxy`: that takes any text for an address, and host and protocol as well.)
 */
export function addressReader(trusted: readonly Network[], onUnreadable = (_proxy: Address): void => {}): AddressOf {
  let hasTold = false
  const isTrusted = (address: Address): boolean => trusted.some(network => contains(network, address))

  return ({ raw, headers }) => {
    const peer = peerOf(raw.socket)
    let rest = headers['x-forwarded-for']
    if (trusted.length === 0 || typeof rest !== 'string') return peer
    let address = peer
    for (let hop = 0; hop < maxHops && isTrusted(address) && rest !== ''; hop++) {
      const comma = rest.lastIndexOf(',')
      const told = parseHop(rest.slice(comma + 1).trim())
      if (told === null) {
        if (!hasTold) onUnreadable(address)
        hasTold = true
        break
      }
      address = told
      rest = rest.slice(0, Math.max(0, comma))
    }
    return address
  }
}

/** The same, with a warning in the log of the proxy whose addresses cannot be read. */
export function clientAddresses(trusted: readonly Network[], log: Pick<FastifyBaseLogger, 'warn'>): AddressOf {
  return addressReader(trusted, ({ text }) =>
    log.warn(
      { event: 'proxy_address_unreadable', proxy: text },
      'a trusted proxy sends an X-Forwarded-For that is no address: its clients count as one'
    )
  )
}

function parseHop(text: string): Address | null {
  const { v4, v6 } = withPort.exec(text)?.groups ?? {}
  return parseAddress(v4 ?? v6 ?? text)
}

/** The other end of a connection: a caller, or a proxy. */
export function peerOf(socket: Socket): Address {
  const known = peers.get(socket)
  if (known !== undefined) return known
  // A link-local peer has its interface behind it.
  const peer = parseAddress(socket.remoteAddress?.replace(/%.*$/, '') ?? '') ?? unixPeer
  peers.set(socket, peer)
  return peer
}
