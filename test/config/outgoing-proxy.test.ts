import { randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import t from 'tap'
import { type Environment, readConfig } from '../../src/config/config.ts'
import { isExempt } from '../../src/config/outgoing-proxy.ts'

const account = { DYTE_ORG_ID: 'org-1', DYTE_API_KEY: randomBytes(16).toString('hex') }
const proxyOf = (env: Environment) => {
  const [upstream] = readConfig({ ...account, ...env }).upstreams
  const { proxy } = upstream ?? {}
  return proxy && [proxy.origin, proxy.authorization?.reveal() ?? null]
}
const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`

t.test('the proxy for https is taken from the environment, in either case, with or without a user', async t => {
  const cases: [Environment, [string, string | null] | undefined][] = [
    [{}, undefined],
    [{ HTTPS_PROXY: '' }, undefined],
    [{ HTTP_PROXY: 'http://proxy.example:1', ALL_PROXY: 'http://proxy.example:2' }, undefined],
    [{ HTTPS_PROXY: 'http://proxy.example:3128' }, ['http://proxy.example:3128', null]],
    [{ https_proxy: 'https://proxy.example/' }, ['https://proxy.example', null]],
    [{ HTTPS_PROXY: 'http://a:1', https_proxy: 'http://b:2' }, ['http://b:2', null]],
    [{ HTTPS_PROXY: 'http://a:1', https_proxy: '' }, ['http://a:1', null]],
    [{ HTTPS_PROXY: 'http://us%40er:p%3Aw@[::1]:3128' }, ['http://[::1]:3128', basic('us@er:p:w')]],
    [{ HTTPS_PROXY: 'http://user@proxy.example:3128' }, ['http://proxy.example:3128', basic('user:')]]
  ]
  for (const [env, expected] of cases) t.strictSame(proxyOf(env), expected, JSON.stringify(env))
})

t.test('plain http never takes it: a vendor of this machine is reached as it was', async t => {
  t.equal(proxyOf({ HTTPS_PROXY: 'http://proxy.example:3128', DYTE_BASE_URL: 'http://127.0.0.1:4100/v2' }), undefined)
  t.equal(
    proxyOf({ HTTPS_PROXY: 'nonsense', DYTE_BASE_URL: 'http://127.0.0.1:4100/v2' }),
    undefined,
    'nor does it mind it'
  )
})

t.test("a text that is no address of a proxy is refused by its variable's name, without its value", async t => {
  for (const text of [
    'proxy.example:3128',
    'socks5://proxy.example:1080',
    'http://proxy.example/path',
    'http://x?y=1',
    'http://%zz:a@x',
    'x'
  ]) {
    for (const name of ['HTTPS_PROXY', 'https_proxy']) {
      const refuse = () => readConfig({ ...account, [name]: text })
      t.throws(refuse, { message: new RegExp(`^${name} must be an address like http://proxy.example:3128 \\(`) }, text)
    }
  }
})

t.test('NO_PROXY names whom to reach directly', async t => {
  const url = (host: string) => new URL(`https://${host}/v2`)
  const yes: [list: string, host: string][] = [
    ['*', 'api.dyte.io'],
    ['a.example, *', 'api.dyte.io'],
    ['api.dyte.io', 'API.dyte.io'],
    ['dyte.io', 'api.dyte.io'],
    ['.dyte.io', 'api.dyte.io'],
    ['*.dyte.io', 'api.dyte.io'],
    ['.dyte.io', 'dyte.io'],
    ['localhost 127.0.0.1\tapi.dyte.io', 'api.dyte.io'],
    ['api.dyte.io.', 'api.dyte.io'],
    ['api.dyte.io', 'api.dyte.io.'],
    ['api.dyte.io:443', 'api.dyte.io'],
    ['*:8443', 'api.dyte.io:8443'],
    ['10.1.2.3', '10.1.2.3'],
    ['10.0.0.0/8', '10.1.2.3'],
    ['10.1.2.3/8', '10.9.9.9'],
    ['0.0.0.0/0', '10.9.9.9'],
    ['::1', '[::1]'],
    ['[::1]', '[::1]:8443'],
    ['[0:0::1]:8443', '[::1]:8443'],
    ['fd00::/8', '[fd12::1]']
  ]
  const no: [list: string, host: string][] = [
    ['', 'api.dyte.io'],
    [' ,, ', 'api.dyte.io'],
    ['yte.io', 'api.dyte.io'],
    ['*.dyte.io', 'dyte.io'],
    ['api.dyte.io.example', 'api.dyte.io'],
    ['api.dyte.io:8443', 'api.dyte.io'],
    ['*:8443', 'api.dyte.io'],
    ['2.3', '10.1.2.3'],
    ['10.0.0.0/8', '11.1.2.3'],
    ['10.0.0.0/99', '10.1.2.3'],
    ['10.0.0.0/8', 'api.dyte.io'],
    ['x/8', '10.1.2.3'],
    ['fd00::/8', '10.1.2.3'],
    ['[::1]:8443', '[::1]']
  ]
  for (const [list, host] of yes) t.equal(isExempt(list, url(host)), true, `${list} | ${host}`)
  for (const [list, host] of no) t.equal(isExempt(list, url(host)), false, `${list} | ${host}`)
  const env = { HTTPS_PROXY: 'http://proxy.example:3128' }
  t.equal(proxyOf({ ...env, NO_PROXY: 'dyte.io' }), undefined)
  t.equal(proxyOf({ ...env, no_proxy: 'dyte.io', NO_PROXY: 'x' }), undefined)
})

t.test("each account of a list has its own way, and nobody's password can be printed", async t => {
  const password = randomBytes(8).toString('hex')
  const list = JSON.stringify([
    { name: 'a', provider: 'dyte', org_id: 'o1', api_key: account.DYTE_API_KEY },
    { name: 'b', provider: 'dyte', org_id: 'o2', api_key: account.DYTE_API_KEY, base_url: 'https://vendor.internal/v2' }
  ])
  const env = {
    LIVEGATE_UPSTREAMS_FILE: '/run/list',
    HTTPS_PROXY: `http://user:${password}@proxy.example:3128`,
    NO_PROXY: '.internal'
  }
  const config = readConfig(env, () => list)
  t.strictSame(
    config.upstreams.map(({ proxy }) => proxy?.origin),
    ['http://proxy.example:3128', undefined]
  )
  for (const text of [JSON.stringify(config), inspect(config, { depth: null, showHidden: true })]) {
    t.notMatch(text, password)
    t.notMatch(text, Buffer.from(`user:${password}`).toString('base64'))
  }
  t.throws(() => readConfig({ ...env, HTTPS_PROXY: 'x' }, () => list.replace('internal', 'example')), {
    message: /^HTTPS_PROXY[^;]+$/
  })
})
