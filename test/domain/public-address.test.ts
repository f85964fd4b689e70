import { BlockList } from 'node:net'
import t from 'tap'
import { parseAddress, parseNetwork } from '../../src/domain/values/address.ts'
import { isPublic, mayBeCalled } from '../../src/domain/values/public-address.ts'
import fc, { runs } from '../support/runner/properties.ts'

const read = (text: string) => {
  const address = parseAddress(text)
  if (address === null) throw new Error(`${text} is no address`)
  return address
}

const local = [
  '0.0.0.0',
  '10.0.0.1',
  '100.64.0.1',
  '127.0.0.1',
  '127.255.255.254',
  '169.254.169.254',
  '172.16.0.1',
  '172.31.255.255',
  '192.0.0.1',
  '192.0.2.1',
  '192.88.99.1',
  '192.168.1.1',
  '198.19.255.255',
  '198.51.100.7',
  '203.0.113.7',
  '224.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::7f00:1',
  '::ffff:127.0.0.1',
  '::ffff:a00:1',
  '::ffff:0:7f00:1',
  '64:ff9b::127.0.0.1',
  '64:ff9b::a9fe:a9fe',
  '64:ff9b:1::1.1.1.1',
  '100::1',
  '2001::1',
  '2001:20::1',
  '2001:db8::1',
  '2002:7f00:1::',
  '3fff::1',
  'fc00::1',
  'fd12:3456::1',
  'fe80::1',
  'fec0::1',
  'ff02::1'
]
const open = [
  '1.1.1.1',
  '8.8.8.8',
  '100.63.255.255',
  '172.15.255.255',
  '172.32.0.0',
  '192.0.1.1',
  '223.255.255.255',
  '::ffff:8.8.8.8',
  '64:ff9b::8.8.8.8',
  '2001:200::1',
  '2606:4700::1111',
  '2a00:1450:4001::1'
]

t.test('private, local and special addresses are not public, in whatever form of IPv6 they come', async t => {
  for (const text of local) t.notOk(isPublic(read(text)), text)
  for (const text of open) t.ok(isPublic(read(text)), text)
})

t.test('no form of IPv6 makes a private IPv4 address public', async t => {
  const forms = [(v4: string) => v4, (v4: string) => `::ffff:${v4}`, (v4: string) => `64:ff9b::${v4}`]
  const list = new BlockList()
  for (const [base, prefix] of [
    ['10.0.0.0', 8],
    ['127.0.0.0', 8],
    ['169.254.0.0', 16],
    ['172.16.0.0', 12],
    ['192.168.0.0', 16]
  ] as const)
    list.addSubnet(base, prefix)
  const near = fc.constantFrom('9', '10', '11', '126', '127', '169.254', '172.16', '172.31', '192.168', '192.169')
  const address = fc
    .tuple(near, fc.array(fc.nat(255), { minLength: 3, maxLength: 3 }))
    .map(([first, rest]) => [...first.split('.'), ...rest].slice(0, 4).join('.'))
  fc.assert(
    fc.property(address, v4 => {
      const answers = forms.map(form => isPublic(read(form(v4))))
      return new Set(answers).size === 1 && !(list.check(v4) && answers[0])
    }),
    { numRuns: runs(1_000) }
  )
  t.pass('all agree')
})

t.test('a network that the operator names may be called, also without TLS; nothing else without TLS', async t => {
  const networks = [parseNetwork('10.1.0.0/16'), parseNetwork('fd12::/16')].filter(one => one !== null)
  const may = (text: string, isPlain: boolean) => mayBeCalled(read(text), { isPlain, networks })
  for (const text of ['10.1.2.3', '::ffff:10.1.2.3', '64:ff9b::10.1.2.3', 'fd12::1']) {
    t.ok(may(text, false), text)
    t.ok(may(text, true), text)
  }
  t.notOk(may('10.2.0.1', false))
  t.ok(may('8.8.8.8', false))
  t.notOk(may('8.8.8.8', true))
})
