import { randomBytes } from 'node:crypto'
import t from 'tap'
import { ConfigError, type Environment, readConfig } from '../../src/config/config.ts'

const needed: Environment = { DYTE_ORG_ID: 'org-1', DYTE_API_KEY: randomBytes(16).toString('hex') }

/** The message with which this environment is refused. */
function problemOf(env: Environment): string {
  try {
    readConfig(env)
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
  return 'accepted'
}

t.test('each bad value is refused in words that name its variable', async t => {
  const bad: Record<string, string[]> = {
    PORT: ['30o0', '-1', '65536', '3000.5', ' 3000', '0x10', '1e3', '99999999999'],
    DATABASE_URL: [
      'livegate.db',
      'sqlite:',
      'sqlite://data/livegate.db',
      'mysql://db',
      'file:x',
      'postgres:',
      'postgres://db/x'
    ],
    VALKEY_URL: [
      'valkey.example:6379',
      'http://valkey.example',
      'redis://',
      'redis://a:1,b:2',
      'redis://a:0',
      'redis://a:65536',
      'redis://a/x',
      'redis://u:%canary@a',
      'redis+sentinel://a,b',
      'redis+cluster://a,b/1'
    ],
    LOG_LEVEL: ['loud', 'INFO', 'toString'],
    DYTE_BASE_URL: [
      'api.dyte.io',
      'ftp://api.dyte.io',
      'https://u:p@api.dyte.io',
      'https://a/?b',
      'https://a/#b',
      '/v2'
    ],
    LIVEGATE_READ_LIMIT: ['600', '0/60', '600/0', 'many/60', '600/60s', '-1/60', '600/60,0', '600/60,', '1/60,86400'],
    LIVEGATE_WRITE_LIMIT: ['60', '2000000/60'],
    LIVEGATE_ADDRESS_LIMIT: ['x', '60/100000'],
    LIVEGATE_MAX_IN_FLIGHT: ['0', '-1', '1000001', 'many'],
    LIVEGATE_MAX_STREAMS: ['0', '-1', '1000001', 'many'],
    LIVEGATE_RECONCILE_MS: ['-1', '1', '499', '3600001', '30s'],
    LIVEGATE_KEEP_ALIVE_MS: ['0', '999', '620s', '86400001'],
    LIVEGATE_MAX_CONNECTIONS: ['0', '9', '1000001', 'many'],
    LIVEGATE_TRUSTED_PROXIES: [
      'proxy.example.com',
      'loopback',
      '*',
      '1',
      '10.0.0.1/8',
      '10.0.0.0/8,10.0.0.1/31',
      '0.0.0.0/0',
      '::/0',
      '0.0.0.0/1,128.0.0.0/1',
      '10.0.0.0/255.0.0.0',
      '::ffff:10.0.0.1',
      '::ffff:10.0.0.0/104'
    ],
    LIVEGATE_DEADLINE_MS: ['99', '120001', '10s', ''].filter(text => text !== ''),
    LIVEGATE_SETTLE_MS: ['999', '600001', 'never'],
    LIVEGATE_SHUTDOWN_MS: ['99', '600001', '-5'],
    LIVEGATE_CORS_ORIGINS: ['*', 'app.example.com', 'https://app.example.com/', 'https://*.example.com/x', 'null'],
    LIVEGATE_PUBLIC_URL: ['video.example', 'http://video.example', 'https://u:p@video.example', 'https://a/?b'],
    LIVEGATE_WEBHOOK_KEY_URL: ['keys.example', 'http://keys.example/key', 'file:///key'],
    LIVEGATE_WEBHOOK_KEY_FILE: ['/nowhere/key.pem', 'package.json'],
    LIVEGATE_DOCS: ['yes', 'true', 'PUBLIC'],
    LIVEGATE_WEBHOOK_RETRY_MS: ['0', '99', '3600001', '5s'],
    LIVEGATE_WEBHOOK_NETWORKS: ['private', '0.0.0.0/0', '10.0.0.1/8', 'unix'],
    LIVEGATE_AUDIT_READS: ['ALL', 'no', 'rollup,all'],
    LIVEGATE_AUDIT_RETENTION_DAYS: ['0', '36501', '30d', '-1', '1.5'],
    LIVEGATE_REPLICAS: ['0', '101', 'many', '2'],
    LIVEGATE_DISK_FLOOR_MB: ['-1', '1000001', '1GB'],
    OTEL_EXPORTER_OTLP_ENDPOINT: [
      'collector:4318',
      'grpc://127.0.0.1',
      'http://user@127.0.0.1',
      'http://127.0.0.1?x=1'
    ],
    LIVEGATE_LOG_REQUESTS: ['yes', '0', '1/0', '2/3', '1/1000000', '0.1'],
    OTEL_SERVICE_NAME: ['two words', 'x'.repeat(65)],
    OTEL_EXPORTER_OTLP_HEADERS: ['authorization', '=x', 'a=b,,c=d']
  }
  for (const [name, values] of Object.entries(bad)) {
    for (const value of values) {
      const problem = problemOf({ ...needed, [name]: value })
      t.match(problem, new RegExp(`^${name} `), `${name}=${value}`)
      t.notMatch(problem, ';', 'one problem')
    }
  }
})

t.test('header fields for a collector go to it over TLS, or stay on this machine', async t => {
  const headers = { ...needed, OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20x' }
  const at = (url: string) => problemOf({ ...headers, OTEL_EXPORTER_OTLP_ENDPOINT: url })
  t.match(at('http://collector:4318'), /^OTEL_EXPORTER_OTLP_ENDPOINT must be https with OTEL_EXPORTER_OTLP_HEADERS/)
  for (const url of ['https://collector:4318', 'http://127.0.0.1:4318', 'http://[::1]:4318'])
    t.equal(at(url), 'accepted', url)
  t.equal(problemOf({ ...needed, OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' }), 'accepted')
})

t.test('metrics are never shown at the port of callers, nor at an address that is none', async t => {
  const same = 'LIVEGATE_METRICS_PORT must be another port than PORT'
  t.equal(problemOf({ ...needed, LIVEGATE_METRICS_PORT: '3000' }), same)
  t.equal(problemOf({ ...needed, PORT: '9464', LIVEGATE_METRICS_PORT: '10.0.0.7:9464' }), same)
  t.equal(problemOf({ ...needed, PORT: '9464', HOST: 'unix:/run/l.sock', LIVEGATE_METRICS_PORT: '9464' }), 'accepted')
  t.equal(problemOf({ ...needed, LIVEGATE_METRICS_HOST: 'x' }), 'LIVEGATE_METRICS_HOST must be an IP address')
  for (const value of ['x', '65536', '127.0.0.1:', ':9464', 'metrics.example:9464', 'fd12::7', '[fd12::7]', '-1'])
    t.match(problemOf({ ...needed, LIVEGATE_METRICS_PORT: value }), /^LIVEGATE_METRICS_PORT must be a port/, value)
})

t.test('a misspelt variable with one of our prefixes is refused; those of others do not matter', async t => {
  for (const name of [
    'LIVEGATE_READ_LIMITS',
    'LIVEGATE_',
    'DYTE_APIKEY',
    'DYTE_ORG_ID_FILES',
    'REALTIMEKIT_TOKEN',
    'livegate_docs'
  ]) {
    t.equal(problemOf({ ...needed, [name]: '1' }), `${name} is not a known variable`)
  }
  t.equal(problemOf({ ...needed, PATH: '/bin', MY_LIVEGATE_X: '1', HOSTNAME: 'x' }), 'accepted')
})

t.test(
  'the variables of a Service of Kubernetes with a name like ours are no settings, in their exact forms alone',
  async t => {
    /** Variables of a Service with one port that has a name. */
    const links = (service: string, ip = '10.96.0.7', url = ip) => ({
      [`${service}_SERVICE_HOST`]: ip,
      [`${service}_SERVICE_PORT`]: '3000',
      [`${service}_SERVICE_PORT_HTTP`]: '3000',
      [`${service}_PORT`]: `tcp://${url}:3000`,
      [`${service}_PORT_3000_TCP`]: `tcp://${url}:3000`,
      [`${service}_PORT_3000_TCP_PROTO`]: 'tcp',
      [`${service}_PORT_3000_TCP_PORT`]: '3000',
      [`${service}_PORT_3000_TCP_ADDR`]: ip
    })
    for (const service of ['LIVEGATE', 'LIVEGATE_METRICS', 'LIVEGATE_AUDIT_READS', 'DYTE', 'DYTE_PROXY', 'REALTIMEKIT'])
      t.equal(
        problemOf({ ...needed, ...links(service), ...links(`${service}_SIX`, 'fd00::7', '[fd00::7]') }),
        'accepted'
      )

    const near = {
      SERVICE_HOST: 'livegate',
      SERVICE_PORT: 'http',
      PORT: '3000',
      PORT_3000_TCP: 'http://10.96.0.7:3000'
    }
    for (const [name, value] of Object.entries(near))
      t.equal(problemOf({ ...needed, [`LIVEGATE_${name}`]: value }), `LIVEGATE_${name} is not a known variable`)
    t.match(readConfig({ ...needed, ...links('LIVEGATE_METRICS') }).metrics, null)
    t.match(problemOf({ ...needed, LIVEGATE_METRICS_PORT: 'tcp://x:1' }), 'LIVEGATE_METRICS_PORT must be a port')
    t.equal(readConfig({ ...needed, PORT: '3001', ...links('LIVEGATE') }).port, 3001)
  }
)

t.test('all problems come in one message', async t => {
  const problem = problemOf({
    PORT: '30o0',
    LIVEGATE_DOCS: 'yes',
    LIVEGATE_X: '1',
    DATABASE_URL: 'x',
    DYTE_ORG_ID: 'changeme'
  })
  t.strictSame(problem.split('; '), [
    'DATABASE_URL must be sqlite:<file>, or postgres://user:password@host:port/database',
    'PORT must be a whole number from 0 to 65535',
    'DYTE_ORG_ID is still a placeholder',
    'DYTE_API_KEY is missing',
    'LIVEGATE_DOCS must be one of off, public, key',
    'LIVEGATE_X is not a known variable'
  ])
})

t.test('credentials go over http to this machine alone', async t => {
  for (const host of ['127.0.0.1:4100', '127.1.2.3', '[::1]:4100', 'localhost:4100']) {
    t.equal(problemOf({ ...needed, DYTE_BASE_URL: `http://${host}/v2` }), 'accepted', host)
  }
  for (const host of [
    'api.dyte.io',
    '10.0.0.7',
    '192.168.1.1',
    '0.0.0.0',
    'localhost.example.com',
    '127.0.0.1.example.com',
    '[::2]'
  ]) {
    t.match(
      problemOf({ ...needed, DYTE_BASE_URL: `http://${host}/v2` }),
      /^DYTE_BASE_URL must be an https address/,
      host
    )
  }
})

t.test(
  'settling must take longer than a call may: else a start that arrives late could be followed by another',
  async t => {
    const times = { LIVEGATE_DEADLINE_MS: '5000', LIVEGATE_SETTLE_MS: '5000' }
    t.equal(problemOf({ ...needed, ...times }), 'LIVEGATE_SETTLE_MS must be longer than LIVEGATE_DEADLINE_MS')
  }
)

t.test("the vendor's quota is calls/seconds, and large enough to keep a reserve of", async t => {
  for (const text of ['2000', '9/60', '0/60', '100/0', '2000/60,100', '1000001/60', '100/86401', 'a lot', '-1/60']) {
    const problem = 'LIVEGATE_UPSTREAM_BUDGET must be calls/seconds, like 2000/60, with at least 10 calls'
    t.equal(problemOf({ ...needed, LIVEGATE_UPSTREAM_BUDGET: text }), problem, text)
  }
  t.equal(problemOf({ ...needed, LIVEGATE_UPSTREAM_BUDGET: '10/1' }), 'accepted')
  t.equal(
    problemOf({ ...needed, LIVEGATE_READ_TTL_MS: '60001' }),
    'LIVEGATE_READ_TTL_MS must be a whole number from 0 to 60000'
  )
})

t.test('a Unix socket needs an absolute path that the kernel takes', async t => {
  const problem = 'HOST must be an address, or unix: and an absolute path of 107 bytes at most'
  for (const HOST of ['unix:', 'unix:livegate.sock', 'unix:/run/livegate/', `unix:/${'x'.repeat(107)}`, 'unix:/a\0b'])
    t.equal(problemOf({ ...needed, HOST }), problem, HOST)
  t.equal(problemOf({ ...needed, HOST: `unix:/${'x'.repeat(106)}` }), 'accepted')
})
