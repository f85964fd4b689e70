import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { ConfigError, type Environment, readConfig, readPublicUrl, readUpstreams } from '../../src/config/config.ts'

const made = () => randomBytes(16).toString('hex')
const dyte = { name: 'default', provider: 'dyte', org_id: made(), api_key: made() }
const realtimekit = { name: 'rtk', provider: 'realtimekit', account_id: made(), app_id: made(), api_token: made() }
const variables = { DYTE_ORG_ID: dyte.org_id, DYTE_API_KEY: dyte.api_key }

const pairOf = (modulusLength: number) => generateKeyPairSync('rsa', { modulusLength })
const pem = (bits = 2_048): string => pairOf(bits).publicKey.export({ type: 'spki', format: 'pem' }).toString()

function problemOf(env: Environment): string {
  try {
    readUpstreams(env)
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
  return 'accepted'
}

function listed(t: Test, list: object[], files: Record<string, string> = {}): Environment {
  const folder = t.testdir({ ...files, 'upstreams.json': JSON.stringify(list) })
  return { LIVEGATE_UPSTREAMS_FILE: join(folder, 'upstreams.json') }
}

const keysOf = (env: Environment) => readUpstreams(env).map(({ webhookKey }) => webhookKey)
const urlsOf = (env: Environment) => keysOf(env).map(key => ('url' in key ? key.url.href : 'a file'))

t.test('each vendor publishes its key at an address of its own, and a simulated one beside its API', async t => {
  const moved = { ...dyte, name: 'g2', org_id: made(), base_url: 'https://api.realtime.cloudflare.com/v2' }
  const simulated = { ...realtimekit, name: 'fake', account_id: made(), base_url: 'http://127.0.0.1:4100/client/v4' }
  t.strictSame(urlsOf(listed(t, [dyte, realtimekit, moved, simulated])), [
    'https://api.dyte.io/.well-known/webhooks.json',
    'https://api.realtime.cloudflare.com/.well-known/webhooks.json',
    'https://api.realtime.cloudflare.com/.well-known/webhooks.json',
    'http://127.0.0.1:4100/.well-known/webhooks.json'
  ])
})

t.test('an upstream may have another address of the key, or the key itself', async t => {
  const key = pem()
  const other = { ...dyte, webhook_key_url: 'https://keys.example/dyte.json' }
  const [first, second] = keysOf(
    listed(t, [other, { ...realtimekit, webhook_key_file: 'rtk.pem' }], { 'rtk.pem': key })
  )
  t.match(first, { url: new URL('https://keys.example/dyte.json') })
  t.strictSame(second, { pem: key })
  const file = join(t.testdir({ 'key.pem': key }), 'key.pem')
  t.strictSame(keysOf({ ...variables, LIVEGATE_WEBHOOK_KEY_FILE: file }), [{ pem: key }])
})

t.test('the way to the key has its own look at the proxy', async t => {
  const env = { ...variables, HTTPS_PROXY: 'http://proxy.example:3128', NO_PROXY: 'api.dyte.io' }
  const [account] = readUpstreams({ ...env, LIVEGATE_WEBHOOK_KEY_URL: 'https://keys.example/k' })
  t.equal(account?.proxy, undefined)
  t.match(account?.webhookKey, { proxy: { origin: 'http://proxy.example:3128' } })
})

t.test('two sources, and what is no public key of RSA, are refused by name', async t => {
  const both = { ...dyte, webhook_key_url: 'https://keys.example/k', webhook_key_file: 'key.pem' }
  t.match(
    problemOf(listed(t, [both], { 'key.pem': pem() })),
    'LIVEGATE_UPSTREAMS_FILE, upstream default: webhook_key_url and webhook_key_file are both set'
  )
  const elliptic = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }).toString()
  const secret = pairOf(2_048).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const says = 'webhook_key_file must hold a public key of RSA with at least 2048 bits, as PEM'
  for (const text of [
    pem(1_024),
    elliptic,
    secret,
    '',
    'a key',
    '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----'
  ])
    t.match(
      problemOf(listed(t, [{ ...dyte, webhook_key_file: 'key.pem' }], { 'key.pem': text })),
      says,
      text.slice(0, 30)
    )
  t.match(problemOf(listed(t, [{ ...dyte, webhook_key_file: 'gone.pem' }])), 'webhook_key_file cannot be read')
})

t.test('a variable of the key without an account of the variables is refused, and not ignored', async t => {
  const env = { ...listed(t, [dyte]), LIVEGATE_WEBHOOK_KEY_URL: 'https://keys.example/k' }
  t.match(problemOf(env), /^LIVEGATE_WEBHOOK_KEY_URL is for the account of the variables/)
})

t.test('a key file that changes is a change of the configuration', async t => {
  const folder = t.testdir({ 'key.pem': pem() })
  const file = join(folder, 'key.pem')
  const { rereadUpstreams } = readConfig({ ...variables, LIVEGATE_WEBHOOK_KEY_FILE: file })
  const before = await rereadUpstreams?.()
  const next = pem()
  writeFileSync(join(folder, 'next.pem'), next)
  renameSync(join(folder, 'next.pem'), file)
  const after = await rereadUpstreams?.()
  t.not(after?.digest, before?.digest)
  t.match(after?.accounts(), [{ webhookKey: { pem: next } }])
})

t.test("the gateway's own address can be read alone", async t => {
  t.equal(readPublicUrl({}), null)
  t.equal(readPublicUrl({ LIVEGATE_PUBLIC_URL: 'https://video.example/gw' })?.href, 'https://video.example/gw')
  t.throws(() => readPublicUrl({ LIVEGATE_PUBLIC_URL: 'video.example' }), { message: /^LIVEGATE_PUBLIC_URL must be/ })
})
