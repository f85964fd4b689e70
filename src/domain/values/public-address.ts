import { type Address, contains, type Network, parseAddress } from './address.ts'

/** IPv4 networks that are no public unicast (IANA IPv4 Special-Purpose Address Registry, and multicast). */
const specialV4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4'
].map(toNetwork)

/** Public unicast of IPv6 is all in one network; all else is local, special, or not given to anybody. */
const unicastV6 = toNetwork('2000::/3')
/** Protocol assignments (Teredo among them), documentation, and 6to4, which holds any IPv4 address. */
const specialV6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'].map(toNetwork)
/** NAT64 (RFC 6052): a gateway on the way makes an IPv4 address of it. */
const translated = toNetwork('64:ff9b::/96')

/** Whether an address is one of the public internet. IPv4 in IPv6, mapped or translated, is as the IPv4 address that it means. */
export function isPublic(address: Pick<Address, 'version' | 'bits'>): boolean {
  const { version, bits } = meant(address)
  const isIn = (network: Network): boolean => contains(network, { version, bits })
  return version === 4 ? !specialV4.some(isIn) : isIn(unicastV6) && !specialV6.some(isIn)
}

/**
 * Whether a stranger may have this address called from here: it is public, or the operator has named its network. Without TLS only the
 * latter.
 */
export function mayBeCalled(
  address: Pick<Address, 'version' | 'bits'>,
  { isPlain, networks }: { isPlain: boolean; networks: readonly Network[] }
): boolean {
  return networks.some(network => contains(network, meant(address))) || (!isPlain && isPublic(address))
}

function meant({ version, bits }: Pick<Address, 'version' | 'bits'>): Pick<Address, 'version' | 'bits'> {
  const isTranslated = version === 6 && contains(translated, { version, bits })
  return isTranslated ? { version: 4, bits: bits & 0xffffffffn } : { version, bits }
}

function toNetwork(text: string): Network {
  const [base = '', prefix] = text.split('/')
  const { version, bits } = parseAddress(base) ?? { version: 4, bits: 0n }
  return { version, bits, prefix: Number(prefix) }
}
