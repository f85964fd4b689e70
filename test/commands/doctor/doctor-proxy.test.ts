import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import t, { type Test } from 'tap'
import type { Check } from '../../../src/commands/doctor/check.ts'
import { readConfig } from '../../../src/config/config.ts'
import { createSimulator } from '../../../src/simulator/simulator.ts'
import { runHere } from '../../support/cli.ts'
import { gateway } from '../../support/gateway.ts'
import { makeCertificate } from '../../support/upstream/certificates.ts'
import { type ProxyOptions, proxy } from '../../support/upstream/proxy.ts'
import { before } from '../../support/upstream/tls-before.ts'
import { nobody } from '../../support/upstream/vendor.ts'

const account = { DYTE_ORG_ID: 'org-1', DYTE_API_KEY: randomBytes(16).toString('hex') }
const password = randomBytes(8).toString('hex')

/** Runs `doctor` with such a proxy, and gives what it says of the credentials. */
async function said(t: Test, env: object): Promise<string> {
  const store = { DATABASE_URL: `sqlite:${join(t.testdir(), 'none.db')}` }
  const { stdout, stderr } = await runHere(['doctor', '--json'], { ...account, ...store, ...env })
  t.notMatch(stdout + stderr, password)
  const { checks }: { checks: Check[] } = JSON.parse(stdout)
  const [one] = checks.filter(({ check }) => check === 'credentials')
  return `${one?.status}: ${one?.message}`
}

async function withProxy(t: Test, options: ProxyOptions, env: object = {}): Promise<string> {
  const { origin } = await proxy(t, options)
  const text = await said(t, { HTTPS_PROXY: origin.replace('//', `//user:${password}@`), ...env })
  return text.replace(origin, 'ORIGIN')
}

t.test('doctor says what a proxy did, and speaks of none where none is used', async t => {
  const status = (line: string): ProxyOptions => ({ instead: socket => socket.end(`HTTP/1.1 ${line}\r\n\r\n`) })
  const look = '; look at the base address and the proxy (HTTPS_PROXY, NO_PROXY)'
  t.equal(
    await withProxy(t, status('403 Forbidden')),
    `failed: the proxy ORIGIN does not connect to api.dyte.io (403)${look}`
  )
  t.equal(
    await withProxy(t, status('407 Proxy Authentication Required')),
    `failed: the proxy ORIGIN wants a user and a password, or others than it was given (407)${look}`
  )
  t.equal(
    await withProxy(t, { instead: socket => void socket.destroy() }),
    `failed: the connection to https://api.dyte.io through the proxy ORIGIN broke${look}`
  )
  const gone = new URL(await nobody(t)).origin
  t.equal(await said(t, { HTTPS_PROXY: gone }), `failed: nothing listens at ${gone}: connection refused${look}`)
  t.equal(
    await said(t, { HTTPS_PROXY: 'http://proxy.invalid:3128', LIVEGATE_DEADLINE_MS: '1000' }).then(text =>
      text.replace(/\(E\w+\)/, '(E…)')
    ),
    `failed: the name proxy.invalid is not found (E…)${look}`
  )
  const direct = `${await nobody(t)}`
  t.match(
    await said(t, { HTTPS_PROXY: gone, DYTE_BASE_URL: direct }),
    /^failed: nothing listens at http:\S+: connection refused; look at the base address and the network \(no proxy is used\)$/
  )
})

t.test('doctor says through which proxy a vendor was asked', async t => {
  const authority = makeCertificate({ name: 'an authority that the machine trusts' })
  const known = getCACertificates('default')
  setDefaultCACertificates([...known, authority.cert])
  t.teardown(() => setDefaultCACertificates(known))
  const simulator = await createSimulator()
  t.teardown(() => simulator.close())
  const host = 'vendor.invalid'
  const { port } = await before(t, simulator.origin, makeCertificate({ name: 'vendor', issuer: authority, host }))
  const env = { DYTE_BASE_URL: `https://${host}/v2`, DYTE_ORG_ID: simulator.org, DYTE_API_KEY: simulator.key }
  t.equal(await withProxy(t, { port }, env), `ok: taken by https://${host} through the proxy ORIGIN`)
})

t.test(
  'a gateway says at its start which upstream it reaches through which proxy, and goes on when the proxy refuses',
  async t => {
    const { origin, asked, shown } = await proxy(t, { instead: socket => socket.end('HTTP/1.1 403 Forbidden\r\n\r\n') })
    const url = origin.replace('//', `//user:${password}@`)
    const { upstreams } = readConfig({ ...account, HTTPS_PROXY: url })
    const { asAcme, meeting, logs, checkUpstreams } = await gateway(t, { config: { upstreams } })
    const told = { upstream: 'default', vendor: 'https://api.dyte.io', proxy: origin }
    const lines = logs()
      .trim()
      .split('\n')
      .map(line => JSON.parse(line))
    t.match(
      lines.filter(({ msg }) => msg === 'this upstream is reached through a proxy'),
      [told]
    )
    t.notMatch(logs(), password)
    await checkUpstreams()
    const reply = await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
    t.match(reply.json().error, { type: 'upstream_unreachable', outcome: 'not_sent' })
    t.ok(asked.length >= 2)
    t.strictSame(
      [new Set(asked), new Set(shown)],
      [new Set(['CONNECT api.dyte.io:443']), new Set([`Basic ${Buffer.from(`user:${password}`).toString('base64')}`])]
    )
    const without = await gateway(t)
    t.notMatch(without.logs(), 'through a proxy')
  }
)
