import { BlockList, isIP } from 'node:net'
import t from 'tap'
import { contains, neighbourhood, parseAddress, parseNetwork } from '../../src/domain/values/address.ts'
import fc, { runs } from '../support/runner/properties.ts'

const v4 = fc.ipV4()
const v6 = fc.ipV6()
/** The first of ::ffff:0:0/96. */
const mapped = 0xffffn << 32n
/** Many of their networks have all of IPv4, which is near. */
const near = fc.bigInt({ min: mapped - (1n << 45n), max: mapped + (1n << 45n) }).map(bits => textOf(6, bits))

t.test('an address has one text, however it was written', async t => {
  const texts: Record<string, string> = {
    '127.0.0.1': '127.0.0.1',
    '255.255.255.255': '255.255.255.255',
    '::1': '::1',
    '::': '::',
    '2001:DB8:0:0:0:0:0:1': '2001:db8::1',
    '2001:db8::0:1': '2001:db8::1',
    '0:0:0:0:0:0:0:1': '::1',
    '1:2:3:4:5:6:7::': '1:2:3:4:5:6:7:0',
    '64:ff9b::1.2.3.4': '64:ff9b::102:304',
    '::ffff:1.2.3.4': '1.2.3.4',
    '::ffff:102:304': '1.2.3.4',
    '0:0:0:0:0:FFFF:102:304': '1.2.3.4'
  }
  for (const [written, text] of Object.entries(texts)) t.equal(parseAddress(written)?.text, text, written)
})

t.test('a text that is no plain address is none', async t => {
  for (const text of [
    '',
    ' ',
    'localhost',
    'unknown',
    '_hidden',
    '1',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.256',
    '01.2.3.4',
    '0x7f.0.0.1',
    '127.1',
    '1.2.3.4.',
    '.1.2.3.4',
    '1.2.3.4:80',
    '[::1]',
    '[::1]:80',
    '::1%eth0',
    'fe80::1%<script>',
    '1::2::3',
    ':::',
    '12345::',
    '1:2:3:4:5:6:7:8:9',
    '::1]/x[',
    '::1 ',
    '1.2.3.4\n',
    '١.٢.٣.٤'
  ]) {
    t.equal(parseAddress(text), null, JSON.stringify(text))
  }
})

t.test('it takes exactly what Node takes for an address, but for zones', async t => {
  const text = fc.oneof(v4, v6, fc.stringMatching(/^[0-9a-f:.]{1,20}$/), fc.string())
  const property = fc.property(text, one => (parseAddress(one) !== null) === (isIP(one) !== 0 && !one.includes('%')))
  t.doesNotThrow(() => fc.assert(property, { numRuns: runs(1_000) }))
})

t.test('a network that would cover more than it names is refused', async t => {
  for (const text of ['10.0.0.0/8', '192.168.1.7', '192.168.1.7/32', '10.1.2.0/23', 'fc00::/7', '::1', '2001:db8::/64'])
    t.not(parseNetwork(text), null, text)
  for (const text of [
    '10.0.0.1/8',
    '192.168.1.0/23',
    'fd00::1/64',
    '0.0.0.0/0',
    '::/0',
    '10.0.0.0/00',
    '8.0.0.0/7',
    '0.0.0.0/1',
    '2000::/3',
    '::/7',
    '::/64',
    '::/80',
    '::8000:0.0.0.0/81',
    '::ffff:0:0/96',
    '::ffff:10.0.0.1',
    '::ffff:10.0.0.0/104',
    '10.0.0.0/33',
    '::1/129',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    '10.0.0.0/08',
    '10.0.0.0/255.0.0.0',
    '10.0/16',
    '/8',
    ''
  ])
    t.equal(parseNetwork(text), null, JSON.stringify(text))
})

t.test('a network has the addresses that begin with its bits, and none of the other version', async t => {
  const bits = fc.bigInt({ min: 0n, max: (1n << 128n) - 1n })
  const property = fc.property(
    fc.oneof(v4, v6, near),
    fc.oneof(v4, v6, near),
    bits,
    fc.nat(128),
    (one, other, flip, length) => {
      const [address, stranger] = [parseAddress(one), parseAddress(other)]
      if (address === null || stranger === null) return false
      const size = address.version === 4 ? 32 : 128
      const prefix = Math.max(8, Math.min(length, size))
      const beyond = BigInt(size - prefix)
      const network = parseNetwork(`${textOf(address.version, (address.bits >> beyond) << beyond)}/${prefix}`)
      // IPv4 in the form of IPv6 is named by its own addresses alone: a network that has all of it would be both.
      const hasIPv4 = size === 128 && address.bits >> beyond === mapped >> beyond
      if (hasIPv4 || network === null) return hasIPv4 && network === null
      const neighbour = { ...address, bits: address.bits ^ (flip & ((1n << beyond) - 1n)) }
      const list = new BlockList()
      list.addSubnet(textOf(network.version, network.bits), prefix, `ipv${network.version}`)
      const inList = stranger.version === network.version && list.check(stranger.text, `ipv${stranger.version}`)
      return contains(network, neighbour) && contains(network, stranger) === inList
    }
  )
  t.doesNotThrow(() => fc.assert(property, { numRuns: runs(500) }))
})

t.test('calls count together by IPv4 address, and by the first half of an IPv6 address', async t => {
  const together = (one: string, other: string): boolean => {
    const [a, b] = [parseAddress(one), parseAddress(other)]
    return a !== null && b !== null && neighbourhood(a) === neighbourhood(b)
  }
  t.ok(together('2001:db8::1', '2001:db8::ffff:0:0:1'))
  t.ok(together('1.2.3.4', '::ffff:1.2.3.4'))
  t.notOk(together('2001:db8::1', '2001:db8:0:1::1'))
  t.notOk(together('1.2.3.4', '1.2.3.5'))
  t.notOk(together('::1', '0.0.0.0'))
})

function textOf(version: 4 | 6, bits: bigint): string {
  if (version === 4) return [24n, 16n, 8n, 0n].map(shift => (bits >> shift) & 0xffn).join('.')
  return Array.from({ length: 8 }, (_, i) => ((bits >> BigInt(112 - 16 * i)) & 0xffffn).toString(16)).join(':')
}
