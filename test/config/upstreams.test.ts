import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { ConfigError, type Environment, readConfig, readUpstreams } from '../../src/config/config.ts'
import { basic } from '../support/account.ts'

const made = () => randomBytes(16).toString('hex')
const org = `org-${made()}`
const key = made()
const token = made()
const dyte = { name: 'default', provider: 'dyte', org_id: org, api_key: key }
const realtimekit = { name: 'rtk', provider: 'realtimekit', account_id: made(), app_id: made(), api_token: token }

function problemOf(env: Environment): string {
  try {
    readUpstreams(env)
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
  return 'accepted'
}

/** An environment with this list, or with this text in its place, and files beside it. */
function listed(t: Test, list: unknown, files: Record<string, string> = {}): Environment {
  const text = typeof list === 'string' ? list : JSON.stringify(list)
  return { LIVEGATE_UPSTREAMS_FILE: join(t.testdir({ ...files, 'upstreams.json': text }), 'upstreams.json') }
}

const credentialsOf = (env: Environment) =>
  readUpstreams(env).map(({ name, credentials }) => [name, ...credentials.map(one => one.reveal())])

t.test('an account of RealtimeKit is set with its ids and its token, and called default', async t => {
  const env = { REALTIMEKIT_ACCOUNT_ID: 'a1', REALTIMEKIT_APP_ID: 'app-1', REALTIMEKIT_API_TOKEN: token }
  const [account, ...others] = readUpstreams(env)
  t.strictSame(others, [])
  t.match(account, { name: 'default', provider: 'realtimekit', quota: { calls: 1_200, seconds: 300 } })
  t.equal(account?.baseUrl.href, 'https://api.cloudflare.com/client/v4/accounts/a1/realtime/kit/app-1')
  t.strictSame(
    account?.credentials.map(one => one.reveal()),
    [`Bearer ${token}`]
  )
  const elsewhere = { ...env, REALTIMEKIT_BASE_URL: 'https://edge.example/v9/', LIVEGATE_UPSTREAM_BUDGET: '100/10' }
  t.match(readUpstreams(elsewhere), [{ quota: { calls: 100, seconds: 10 } }])
  t.equal(readUpstreams(elsewhere)[0]?.baseUrl.href, 'https://edge.example/v9/accounts/a1/realtime/kit/app-1')
  t.equal(
    problemOf({ ...env, REALTIMEKIT_APP_ID: 'a/b', REALTIMEKIT_API_TOKEN: '' }),
    'REALTIMEKIT_APP_ID must be letters, digits, - and _, at most 64; REALTIMEKIT_API_TOKEN is missing'
  )
})

t.test('two accounts in the environment are refused: nobody could say which one counts', async t => {
  const both = { DYTE_ORG_ID: org, DYTE_API_KEY: key, REALTIMEKIT_API_TOKEN: token }
  t.match(
    problemOf(both),
    /^DYTE_\* and REALTIMEKIT_\* are both set: for several accounts there is LIVEGATE_UPSTREAMS_FILE;/
  )
})

t.test('a list has as many accounts as one likes, each with what it needs', async t => {
  const own = { ...realtimekit, name: 'acme-own', account_id: made(), dedicated_to: 'acme', budget: '50/10' }
  const moved = { ...dyte, base_url: 'https://api.realtime.cloudflare.com/v2' }
  const accounts = readUpstreams(listed(t, [moved, realtimekit, own]))
  t.match(accounts, [
    { name: 'default', provider: 'dyte', dedicatedTo: null, quota: { calls: 2_000, seconds: 60 } },
    { name: 'rtk', provider: 'realtimekit', dedicatedTo: null, quota: { calls: 1_200, seconds: 300 } },
    { name: 'acme-own', dedicatedTo: 'acme', quota: { calls: 50, seconds: 10 } }
  ])
  t.equal(accounts[0]?.baseUrl.href, 'https://api.realtime.cloudflare.com/v2')
})

t.test('the account of the environment stands beside those of the list', async t => {
  const env = { ...listed(t, [realtimekit]), DYTE_ORG_ID: org, DYTE_API_KEY: key }
  t.strictSame(credentialsOf(env), [
    ['default', basic(org, key).reveal()],
    ['rtk', `Bearer ${token}`]
  ])
  t.equal(readConfig({ ...env, LIVEGATE_UPSTREAM_BUDGET: '77/7' }).upstreams[0]?.quota.calls, 77)
})

t.test('there are one or two credentials, given as they are or in a file beside the list', async t => {
  const second = made()
  const twoKeys = [basic(org, key).reveal(), basic(org, second).reveal()]
  const { api_key: _key, ...bare } = dyte
  t.strictSame(credentialsOf(listed(t, [{ ...dyte, api_key: [key, second] }])), [['default', ...twoKeys]])
  const beside = listed(t, [{ ...bare, api_key_file: 'two.key' }], { 'two.key': ` ${key} \r\n${second}\n\n` })
  t.strictSame(credentialsOf(beside), [['default', ...twoKeys]])
  const file = join(t.testdir({ key: `${key}\n${second}` }), 'key')
  t.strictSame(credentialsOf({ DYTE_ORG_ID: org, DYTE_API_KEY_FILE: file }), [['default', ...twoKeys]])
})

t.test('a mistake in a list is named, with the upstream and the field, and never with a value', async t => {
  const { api_token: _token, ...bare } = realtimekit
  const where = (name: string) => `LIVEGATE_UPSTREAMS_FILE, upstream ${name}: `
  const wrong: [list: unknown, problem: string][] = [
    ['', 'LIVEGATE_UPSTREAMS_FILE must be a JSON list of objects, one for each upstream'],
    ['{}', 'LIVEGATE_UPSTREAMS_FILE must be a JSON list of objects, one for each upstream'],
    [[], 'LIVEGATE_UPSTREAMS_FILE must be a JSON list of objects, one for each upstream'],
    [[null], 'LIVEGATE_UPSTREAMS_FILE must be a JSON list of objects, one for each upstream'],
    [[[]], 'LIVEGATE_UPSTREAMS_FILE must be a JSON list of objects, one for each upstream'],
    [
      [{ ...dyte, name: 'Default' }],
      'LIVEGATE_UPSTREAMS_FILE, entry 1: name must be lower-case letters and digits joined by hyphens, at most 32'
    ],
    [[dyte, { ...dyte, name: '../x' }], 'LIVEGATE_UPSTREAMS_FILE, entry 2: name must be'],
    [[{ ...dyte, provider: 'other' }], `${where('default')}provider must be one of dyte, realtimekit`],
    [[{ ...dyte, app_id: 'x' }], `${where('default')}app_id is not a known field`],
    [[{ ...dyte, org_id: 7 }], `${where('default')}org_id must be a string; ${where('default')}org_id is missing`],
    [[{ ...dyte, api_key: [] }], `${where('default')}api_key must be a string, or a list of one or two`],
    [
      [{ ...dyte, api_key: [key, made(), made()] }],
      `${where('default')}api_key must be a string, or a list of one or two`
    ],
    [[{ ...dyte, api_key: [key, key] }], `${where('default')}api_key has the same credential twice`],
    [[bare], `${where('rtk')}api_token is missing`],
    [[{ ...bare, api_token_file: 'none' }], `${where('rtk')}api_token_file cannot be read`],
    [[{ ...realtimekit, api_token_file: 'x' }], `${where('rtk')}api_token and api_token_file are both set`],
    [[{ ...realtimekit, account_id: 'a/b' }], `${where('rtk')}account_id must be letters, digits, - and _, at most 64`],
    [[{ ...dyte, base_url: 'http://far.example' }], `${where('default')}base_url must be an https address`],
    [[{ ...dyte, budget: '1' }], `${where('default')}budget must be calls/seconds`],
    [[{ ...dyte, dedicated_to: 'A!' }], `${where('default')}dedicated_to must be the id of a tenant`],
    [[dyte, { ...realtimekit, name: 'default' }], 'there are two upstreams called default'],
    [[dyte, { ...dyte, name: 'again' }], 'default and again are the same account'],
    [[dyte, { ...dyte, name: 'again', org_id: org.toUpperCase() }], 'default and again are the same account'],
    [
      [realtimekit, { ...realtimekit, name: 'rtk-2', app_id: made() }],
      "rtk and rtk-2 share one account's quota: give each its part of it as budget"
    ],
    [[{ ...dyte, [key]: 'x' }], `${where('default')}a field is not a known field`]
  ]
  for (const [list, problem] of wrong) {
    const said = problemOf(listed(t, list))
    t.ok(said.startsWith(problem), `${JSON.stringify(list).slice(0, 80)}: ${said}`)
    for (const secret of [key, token, org]) t.notMatch(said, secret)
  }
  const three = listed(t, [{ ...bare, api_token_file: 'three' }], { three: `${made()}\n${made()}\n${made()}` })
  t.equal(problemOf(three), `${where('rtk')}api_token has more than two lines`)
  t.equal(problemOf({ LIVEGATE_UPSTREAMS_FILE: '/none' }), 'LIVEGATE_UPSTREAMS_FILE cannot be read')
})

t.test('read again, a list says whether any of its files has changed', async t => {
  const { api_token: _token, ...bare } = realtimekit
  const env = listed(t, [{ ...bare, api_token_file: 'rtk' }], { rtk: token })
  const { rereadUpstreams } = readConfig(env)
  const first = await rereadUpstreams?.()
  t.equal((await rereadUpstreams?.())?.digest, first?.digest)
  t.strictSame(first?.accounts()[0]?.credentials[0]?.reveal(), `Bearer ${token}`)
  const file = join(String(env.LIVEGATE_UPSTREAMS_FILE), '..', 'rtk')
  const next = made()
  writeFileSync(file, next)
  const second = await rereadUpstreams?.()
  t.not(second?.digest, first?.digest)
  t.equal(second?.accounts()[0]?.credentials[0]?.reveal(), `Bearer ${next}`)
  for (const unreadable of ['pipe', 'huge']) {
    rmSync(file)
    if (unreadable === 'pipe') execFileSync('mkfifo', [file])
    else writeFileSync(file, 'x'.repeat(1024 * 1024 + 1))
    const third = await rereadUpstreams?.()
    t.throws(() => third?.accounts(), { message: /upstream rtk: api_token_file cannot be read$/ }, unreadable)
    t.match(problemOf(env), /api_token_file cannot be read$/, unreadable)
  }
  writeFileSync(file, `\uFEFF${token}\n`)
  t.equal((await rereadUpstreams?.())?.accounts()[0]?.credentials[0]?.reveal(), `Bearer ${token}`)
  writeFileSync(String(env.LIVEGATE_UPSTREAMS_FILE), '[')
  const broken = await rereadUpstreams?.()
  t.throws(() => broken?.accounts(), { message: /must be a JSON list/ })
  t.equal(readConfig({ DYTE_ORG_ID: org, DYTE_API_KEY: key }).rereadUpstreams, null, 'nothing to read again')
  const alone = readConfig({ DYTE_ORG_ID: org, DYTE_API_KEY_FILE: join(t.testdir({ key }), 'key') })
  t.equal((await alone.rereadUpstreams?.())?.accounts()[0]?.name, 'default', 'the file of a single secret counts too')
})

t.test('no account shows its credentials when it is printed', async t => {
  const text = JSON.stringify(readUpstreams(listed(t, [dyte, realtimekit])))
  for (const secret of [key, token, org, basic(org, key).reveal()]) t.notMatch(text, secret)
})
