import { randomUUID } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { createServer as createSecureServer } from 'node:https'
import { createServer } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Check } from '../../../src/commands/doctor/check.ts'
import type { Environment } from '../../../src/config/config.ts'
import { createSimulator, type Fault, type Simulator, type SimulatorOptions } from '../../../src/simulator/simulator.ts'
import { runHere } from '../../support/cli.ts'
import { environmentOf } from '../../support/config.ts'
import { listen } from '../../support/listen.ts'
import { makeCertificate } from '../../support/upstream/certificates.ts'

async function vendor(t: Test, options: SimulatorOptions = {}): Promise<{ simulator: Simulator; env: Environment }> {
  const simulator = await createSimulator(options)
  t.teardown(() => simulator.close())
  return { simulator, env: { ...environmentOf(simulator), DATABASE_URL: `sqlite:${join(t.testdir(), 'none.db')}` } }
}

/** The checks of credentials and clock, a line each. */
async function said(env: Environment): Promise<string[]> {
  const { code, stdout } = await runHere(['doctor', '--json'], env)
  const { ok, checks }: { ok: boolean; checks: Check[] } = JSON.parse(stdout)
  t.equal(code, ok ? 0 : 1)
  t.equal(
    ok,
    checks.every(({ status }) => status !== 'failed')
  )
  return checks
    .filter(({ check }) => check === 'credentials' || check === 'clock')
    .map(({ check, subject, status, message }) => `${status}: ${check} of ${subject}: ${message}`)
}

const agrees = 'ok: clock of the upstream default: agrees with ours'

t.test('Dyte: a credential that is taken, one that is not, and what is no Dyte at all', async t => {
  const { simulator, env } = await vendor(t)
  t.strictSame(await said(env), [`ok: credentials of the upstream default: taken by ${simulator.origin}`, agrees])
  t.strictSame(
    simulator.journal.map(({ method, target }) => `${method} ${target}`),
    ['GET /v2/meetings?page_no=1&per_page=1', 'GET /v2/webhooks'],
    'with one harmless read, and one of the webhooks'
  )
  const wrong: [Environment, RegExp][] = [
    [
      { DYTE_API_KEY: 'key-2' },
      /^failed: .*refused with 401; it does not say whether organisation or key is wrong: correct/
    ],
    [{ DYTE_ORG_ID: 'org-2' }, /^failed: .*refused with 401; it does not say whether organisation or key/]
  ]
  for (const [change, expected] of wrong) t.match((await said({ ...env, ...change }))[0], expected)
  const faults: [Fault, RegExp][] = [
    [
      { status: 404, body: 'not found' },
      /^failed: .*\(404\) is not this API: correct base_url \(DYTE_BASE_URL\), path and all/
    ],
    [{ garbage: true }, /^failed: .*\(200\) is not this API/],
    [{ redirect: 'https://elsewhere.example/' }, /^failed: .*\(302\) is not this API/],
    [{ status: 403, body: '{}' }, /^failed: .*does not let it read meetings \(403\): give it that right/],
    [{ retryAfterSeconds: 4 }, /^warning: .*asks to slow down/],
    [{ status: 502 }, /^failed: .*the vendor fails \(502\)/],
    [{ hangUp: true }, /^failed: .*the connection to http:\S+ broke; look at the base address/]
  ]
  for (const [fault, expected] of faults) {
    simulator.failNext(fault)
    t.match((await said(env))[0], expected)
  }
})

t.test('RealtimeKit: wrong token, wrong account and unknown app are told apart', async t => {
  for (const badToken of ['401', '403'] as const) {
    const { simulator, env } = await vendor(t, { vendor: 'realtimekit', badToken })
    t.strictSame(await said(env), [`ok: credentials of the upstream default: taken by ${simulator.origin}`, agrees])
    const goodToken = /refused with 403, although the token is good: correct account_id/
    const cases: [Environment, RegExp][] = [
      [
        { REALTIMEKIT_API_TOKEN: 'token-2' },
        new RegExp(`^failed: .*refused with ${badToken}; the token is wrong, or was deleted: correct api_token`)
      ],
      [{ REALTIMEKIT_ACCOUNT_ID: '0'.repeat(32) }, goodToken],
      [{ REALTIMEKIT_ACCOUNT_ID: 'abc' }, /there is no such account there \(404\): correct account_id/],
      [{ REALTIMEKIT_APP_ID: randomUUID() }, /good for the account, which has no such app \(404\): correct app_id/],
      [{ REALTIMEKIT_ACCOUNT_ID: '0'.repeat(32), REALTIMEKIT_APP_ID: randomUUID() }, goodToken]
    ]
    for (const [change, expected] of cases) t.match((await said({ ...env, ...change }))[0], expected)
  }
})

t.test(
  'RealtimeKit: tokens of an account, those that are switched off, and an account that hides its apps',
  async t => {
    const { simulator, env } = await vendor(t, { vendor: 'realtimekit' })
    const edge = (status: number, code: number): Fault => ({ status, body: { success: false, errors: [{ code }] } })
    const verified = (status: string): Fault => ({ status: 200, body: { success: true, result: { status } } })
    const cases: [Fault[], RegExp][] = [
      [[edge(403, 10000), edge(401, 1000), verified('active')], /although the token is good: correct account_id/],
      [[edge(403, 10000), verified('disabled')], /the token is known, but not active/],
      [[edge(404, 7003), edge(403, 10000)], /although the token is good/],
      [[edge(400, 6003), edge(400, 6003), edge(400, 6003)], /refused with 400; the token is wrong/]
    ]
    for (const [faults, expected] of cases) {
      simulator.failNext(faults)
      t.match((await said(env))[0], expected)
    }
    t.ok(simulator.journal.some(({ target }) => target === `/client/v4/accounts/${simulator.account}/tokens/verify`))
  }
)

t.test('two credentials are shown to the vendor each, and one is enough', async t => {
  const { simulator, env } = await vendor(t)
  const file = join(t.testdir(), 'keys')
  const two = { ...env, DYTE_API_KEY: undefined, DYTE_API_KEY_FILE: file }
  writeFileSync(file, `key-2\n${simulator.key}\n`)
  t.match(await said(two), [
    /^warning: credentials of the upstream default, number 1: refused with 401; .*; the other one is taken$/,
    `ok: credentials of the upstream default, number 2: taken by ${simulator.origin}`,
    agrees
  ])
  writeFileSync(file, 'key-2\nkey-3\n')
  t.match(await said(two), [/^failed: .*number 1/, /^failed: .*number 2/, agrees])
})

t.test('our clock is compared with that of the vendor', async t => {
  const { simulator, env } = await vendor(t)
  const at = (seconds: number): Fault => ({
    headers: { date: new Date(Date.now() + seconds * 1_000).toUTCString() }
  })
  const cases: [Fault, RegExp][] = [
    [at(3), /^ok/],
    [at(-4), /^ok/],
    [at(30), /^warning: .*our clock is (29|30) s behind the vendor's: let NTP/],
    [at(-30), /^warning: .*our clock is (28|29|30) s ahead of the vendor's/],
    [at(90), /^failed: .*behind/],
    [at(-90), /^failed: .*ahead/],
    [{ headers: { date: 'some day' } }, /^warning: .*did not say what time it is/]
  ]
  for (const [fault, expected] of cases) {
    simulator.failNext(fault)
    t.match((await said(env))[1], expected)
  }
})

t.test('a vendor that cannot be reached: why is said in words, and there is no clock to compare with', async t => {
  const { simulator, env } = await vendor(t)
  const stranger = makeCertificate({ name: 'vendor', address: '127.0.0.1' })
  const secure = await listen(t, createSecureServer({ cert: stranger.cert, key: stranger.key }))
  const noHttp = await listen(
    t,
    createServer(socket => socket.on('error', () => {}).end('220 mail.example ESMTP\r\n'))
  )
  const closing = createServer()
  const closed = await listen(t, closing)
  closing.close()
  const cases: [string, RegExp][] = [
    ['https://livegate-doctor.invalid/v2', /the name livegate-doctor\.invalid is not found \((ENOTFOUND|EAI_AGAIN)\)/],
    [`http://127.0.0.1:${closed}/v2`, /nothing listens at http:\/\/127\.0\.0\.1:\d+: connection refused/],
    [`https://127.0.0.1:${secure}/v2`, /no secure connection to 127\.0\.0\.1:\d+: TLS failed \(\w*CERT\w*\)/],
    [`https://127.0.0.1:${simulator.port}/v2`, /no secure connection to 127\.0\.0\.1:\d+: TLS failed/],
    [`http://127.0.0.1:${noHttp}/v2`, /is no such API: not HTTP/]
  ]
  for (const [DYTE_BASE_URL, expected] of cases) {
    const lines = await said({ ...env, DYTE_BASE_URL })
    t.equal(lines.length, 1)
    t.match(lines[0], expected)
  }
  simulator.failNext({ stall: true })
  t.match(
    (await said({ ...env, LIVEGATE_DEADLINE_MS: '100' }))[0],
    /^failed: .*no answer from http:\S+ in time; look at/
  )
})
