import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import t, { type Test } from 'tap'
import { readConfig } from '../../../src/config/config.ts'
import { gateway } from '../../support/gateway.ts'
import { shortFolder } from '../../support/short-folder.ts'

const env = { DYTE_ORG_ID: 'org-of-a-test', DYTE_API_KEY: 'key-of-a-test' }

/** A gateway at a Unix socket, and what asks it as a client with this address behind a proxy. */
async function atSocket(t: Test, proxies: string) {
  const socketPath = `${shortFolder(t)}/livegate.sock`
  const { trustedProxies } = readConfig({ ...env, LIVEGATE_TRUSTED_PROXIES: proxies })
  const config = { host: `unix:${socketPath}`, trustedProxies, addressLimit: { calls: 2, seconds: 60, burst: 2 } }
  const { events } = await gateway(t, { config })
  const ask = async (client: string): Promise<number | undefined> => {
    const headers = { 'x-forwarded-for': client }
    const [answer] = await once(request({ socketPath, path: '/v2/meetings', headers, agent: false }).end(), 'response')
    const { statusCode } = (answer as IncomingMessage).resume()
    return statusCode
  }
  return { ask, events }
}

t.test('all callers of a Unix socket without a key share one limit', async t => {
  const { ask, events } = await atSocket(t, '')
  t.strictSame([await ask('203.0.113.1'), await ask('203.0.113.2'), await ask('203.0.113.3')], [401, 401, 429])
  t.equal((await events()).at(-1)?.src_endpoint.ip, '::')
})

t.test('with `unix` among the trusted proxies each has the address that the proxy tells', async t => {
  const { ask, events } = await atSocket(t, 'unix, 10.0.0.0/8')
  t.strictSame([await ask('203.0.113.1'), await ask('203.0.113.2'), await ask('203.0.113.3')], [401, 401, 401])
  t.equal((await events()).at(-1)?.src_endpoint.ip, '203.0.113.3')
  for (const status of [401, 429]) t.equal(await ask('203.0.113.3'), status)
})
