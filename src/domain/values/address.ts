/** An IP address. However it was written, the same address has the same bits and the same text; IPv4-mapped IPv6 is IPv4. */
export interface Address {
  readonly version: 4 | 6
  readonly bits: bigint
  readonly text: string
}

/** All addresses that begin with the first `prefix` bits. */
export interface Network extends Pick<Address, 'version' | 'bits'> {
  readonly prefix: number
}

const size = { 4: 32, 6: 128 } as const
/** The largest private networks, 10.0.0.0/8 and fc00::/7: a wider one names half the world. */
const widest = { 4: 8, 6: 7 } as const
const mappedPrefix = 0xffffn

/** The address of every peer of a Unix socket, which has none of its own: that of no machine. */
export const unixPeer: Address = { version: 6, bits: 0n, text: '::' }
/** Just that one: `unix` in a list of networks. */
export const unixPeers: Network = { version: 6, bits: 0n, prefix: 128 }

/** Null for everything but a plain address: names, ports, zones, octal and shortened forms. */
export function parseAddress(text: string): Address | null {
  return parseV4(text) ?? parseV6(text)
}

/**
 * Reads `10.0.0.0/8`, `fd00::/8` or a single address. Null when it is something else or would cover more than it names: bits
 * beyond the prefix, a network wider than any private one, or IPv4 in the form of IPv6.
 */
export function parseNetwork(text: string): Network | null {
  const [, written = '', length] = /^([^/]+)(?:\/([1-9]\d{0,2}))?$/.exec(text) ?? []
  const address = parseAddress(written)
  if (address === null || (address.version === 4 && written.includes(':'))) return null
  const { version, bits } = address
  const prefix = Number(length ?? size[version])
  if (prefix < widest[version] || prefix > size[version]) return null
  const network = { version, bits, prefix }
  const beyond = BigInt(size[version] - prefix)
  const mapped = version === 6 && contains(network, { version, bits: mappedPrefix << 32n })
  return (bits >> beyond) << beyond === bits && !mapped ? network : null
}

export function contains(network: Network, { version, bits }: Pick<Address, 'version' | 'bits'>): boolean {
  const beyond = BigInt(size[version] - network.prefix)
  return version === network.version && bits >> beyond === network.bits >> beyond
}

/** Addresses whose calls count together: an IPv4 address, or the /64 of an IPv6 address, which is one customer's. */
export function neighbourhood({ version, bits, text }: Address): string {
  return version === 4 ? text : (bits >> 64n).toString(16)
}

function parseV4(text: string): Address | null {
  if (!/^(?:(?:0|[1-9]\d{0,2})(?:\.|$)){4}$/.test(text) || text.endsWith('.')) return null
  const octets = text.split('.').map(Number)
  if (octets.some(octet => octet > 255)) return null
  return { version: 4, bits: octets.reduce((bits, octet) => (bits << 8n) | BigInt(octet), 0n), text }
}

function parseV6(written: string): Address | null {
  if (!/^[0-9a-f:.]{2,45}$/i.test(written)) return null
  // The parser of addresses in URLs also gives the shortest text, and leaves no dotted part.
  const text = URL.parse(`http://[${written}]`)?.hostname.slice(1, -1)
  if (text === undefined) return null
  const [head = [], tail = []] = text.split('::').map(half => half.split(':').filter(Boolean))
  const zeros = new Array<string>(8 - head.length - tail.length).fill('0')
  const bits = [...head, ...zeros, ...tail].reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n)
  if (bits >> 32n !== mappedPrefix) return { version: 6, bits, text }
  const octets = [24n, 16n, 8n, 0n].map(shift => (bits >> shift) & 0xffn)
  return { version: 4, bits: bits & 0xffffffffn, text: octets.join('.') }
}
