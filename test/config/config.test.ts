import { randomBytes } from 'node:crypto'
import { resolve } from 'node:path'
import t from 'tap'
import {
  ConfigError,
  type Environment,
  environment,
  readConfig,
  readStoreConfig,
  readUpstreams,
  variables
} from '../../src/config/config.ts'
import { basic } from '../support/account.ts'

const apiKey = randomBytes(16).toString('hex')
const needed: Environment = { DYTE_ORG_ID: 'org-1', DYTE_API_KEY: apiKey }

/** The message with which this environment is refused. */
function problemOf(env: Environment, read: (env: Environment) => unknown = readConfig): string {
  try {
    read(env)
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
  return 'accepted'
}

t.test('with the credentials alone everything else has its default', async t => {
  const { upstreams, ...rest } = readConfig(needed)
  const [upstream] = upstreams
  t.strictSame(rest, {
    host: '127.0.0.1',
    port: 3000,
    home: { kind: 'sqlite', file: resolve('data/livegate.db') },
    valkey: null,
    auditKeys: { dataDir: resolve('data'), signingKeyFile: undefined, fingerprintKeyFile: undefined },
    logLevel: 'info',
    rereadUpstreams: null,
    readLimit: { calls: 600, seconds: 60, burst: 600 },
    writeLimit: { calls: 60, seconds: 60, burst: 60 },
    addressLimit: { calls: 120, seconds: 60, burst: 120 },
    maxInFlight: 1_000,
    maxStreams: 1_000,
    reconcileMs: 30_000,
    neverLiveMs: 900_000,
    keepAliveMs: 620_000,
    maxConnections: null,
    trustedProxies: [],
    deadlineMs: 10_000,
    settleMs: 30_000,
    readTtlMs: 1_000,
    shutdownMs: 9_000,
    corsOrigins: [],
    publicUrl: null,
    docs: 'public',
    webhookRetryMs: 5_000,
    webhookNetworks: [],
    auditReads: 'rollup',
    auditRetentionDays: null,
    replicas: 1,
    diskFloorMb: 512,
    metrics: null,
    traces: null,
    logRequestsOneIn: null
  })
  t.equal(upstreams.length, 1)
  t.match(upstream, { name: 'default', provider: 'dyte', dedicatedTo: null, quota: { calls: 2_000, seconds: 60 } })
  t.strictSame(
    upstream?.credentials.map(one => one.reveal()),
    [basic('org-1', apiKey).reveal()]
  )
  t.equal(upstream?.baseUrl.href, 'https://api.dyte.io/v2')
})

t.test('every setting can be given', async t => {
  const config = readConfig({
    ...needed,
    HOST: '0.0.0.0',
    PORT: '0',
    DATABASE_URL: 'sqlite:/srv/livegate/live.db',
    VALKEY_URL: 'redis+cluster://n1.example,n2.example:6380',
    LOG_LEVEL: 'trace',
    DYTE_BASE_URL: 'https://vendor.example/v9',
    LIVEGATE_READ_LIMIT: '1/2',
    LIVEGATE_WRITE_LIMIT: '3/4',
    LIVEGATE_ADDRESS_LIMIT: '5/6,7',
    LIVEGATE_MAX_IN_FLIGHT: '8',
    LIVEGATE_MAX_STREAMS: '9',
    LIVEGATE_RECONCILE_MS: '500',
    LIVEGATE_NEVER_LIVE_MS: '60000',
    LIVEGATE_KEEP_ALIVE_MS: '3660000',
    LIVEGATE_MAX_CONNECTIONS: '5000',
    LIVEGATE_TRUSTED_PROXIES: '10.0.0.0/8, fd00::/8,127.0.0.1',
    LIVEGATE_UPSTREAM_BUDGET: '1200/300',
    LIVEGATE_READ_TTL_MS: '0',
    LIVEGATE_DEADLINE_MS: '100',
    LIVEGATE_SETTLE_MS: '1000',
    LIVEGATE_SHUTDOWN_MS: '600000',
    LIVEGATE_CORS_ORIGINS: 'https://app.example.com, http://localhost:5173,',
    LIVEGATE_PUBLIC_URL: 'https://video.example/gw/',
    LIVEGATE_WEBHOOK_KEY_URL: 'https://keys.example/key.json',
    LIVEGATE_DOCS: 'key',
    LIVEGATE_WEBHOOK_RETRY_MS: '100',
    LIVEGATE_WEBHOOK_NETWORKS: '10.1.0.0/16',
    LIVEGATE_DATA_DIR: '/srv/audit',
    LIVEGATE_AUDIT_READS: 'none',
    LIVEGATE_AUDIT_RETENTION_DAYS: '90',
    LIVEGATE_AUDIT_SIGNING_KEY_FILE: '/run/secrets/signing.key',
    LIVEGATE_AUDIT_FINGERPRINT_KEY_FILE: 'fingerprint.key',
    LIVEGATE_REPLICAS: '1',
    LIVEGATE_DISK_FLOOR_MB: '0',
    LIVEGATE_METRICS_PORT: '[fd12::7]:9464',
    LIVEGATE_METRICS_HOST: '0.0.0.0',
    LIVEGATE_METRICS_TENANTS: 'on',
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318/otlp/',
    OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20x,x-tenant=1',
    OTEL_SERVICE_NAME: 'livegate-eu',
    LIVEGATE_LOG_REQUESTS: '1/100'
  })
  const { upstreams, traces, ...rest } = config
  const [upstream] = upstreams
  t.strictSame(rest, {
    host: '0.0.0.0',
    port: 0,
    home: { kind: 'sqlite', file: '/srv/livegate/live.db' },
    valkey: {
      kind: 'cluster',
      nodes: [
        { host: 'n1.example', port: 6379 },
        { host: 'n2.example', port: 6380 }
      ],
      ...{ primary: '', user: null, password: null, database: 0, isTls: false }
    },
    auditKeys: {
      dataDir: '/srv/audit',
      signingKeyFile: '/run/secrets/signing.key',
      fingerprintKeyFile: resolve('fingerprint.key')
    },
    logLevel: 'trace',
    rereadUpstreams: null,
    readLimit: { calls: 1, seconds: 2, burst: 1 },
    writeLimit: { calls: 3, seconds: 4, burst: 3 },
    addressLimit: { calls: 5, seconds: 6, burst: 7 },
    maxInFlight: 8,
    maxStreams: 9,
    reconcileMs: 500,
    neverLiveMs: 60_000,
    keepAliveMs: 3_660_000,
    maxConnections: 5_000,
    trustedProxies: [
      { version: 4, bits: 0x0a000000n, prefix: 8 },
      { version: 6, bits: 0xfdn << 120n, prefix: 8 },
      { version: 4, bits: 0x7f000001n, prefix: 32 }
    ],
    deadlineMs: 100,
    settleMs: 1_000,
    readTtlMs: 0,
    shutdownMs: 600_000,
    corsOrigins: ['https://app.example.com', 'http://localhost:5173'],
    publicUrl: new URL('https://video.example/gw/'),
    docs: 'key',
    webhookRetryMs: 100,
    webhookNetworks: [{ version: 4, bits: 0x0a010000n, prefix: 16 }],
    auditReads: 'none',
    auditRetentionDays: 90,
    replicas: 1,
    diskFloorMb: 0,
    logRequestsOneIn: 100,
    metrics: { host: 'fd12::7', port: 9464, hasTenants: true, restMs: 100 }
  })
  t.match(traces, { url: 'http://127.0.0.1:4318/otlp/v1/traces', serviceName: 'livegate-eu' })
  t.equal(traces?.headers.reveal(), 'authorization=Bearer%20x,x-tenant=1')
  t.equal(upstream?.baseUrl.href, 'https://vendor.example/v9')
  t.strictSame(upstream?.quota, { calls: 1_200, seconds: 300 })
  t.strictSame(upstream?.webhookKey, { url: new URL('https://keys.example/key.json'), proxy: undefined })
})

t.test('an empty variable is an unset one', async t => {
  const empty = Object.fromEntries(variables.filter(name => !(name in needed)).map(name => [name, '']))
  t.strictSame(JSON.stringify(readConfig({ ...empty, ...needed })), JSON.stringify(readConfig(needed)))
})

t.test('nobody can change a setting afterwards', async t => {
  const config = readConfig({
    ...needed,
    LIVEGATE_READ_LIMIT: '1/2',
    LIVEGATE_CORS_ORIGINS: 'https://app.example.com',
    LIVEGATE_TRUSTED_PROXIES: '127.0.0.1'
  })
  for (const part of [
    config,
    config.upstreams,
    config.upstreams[0],
    config.upstreams[0]?.quota,
    config.upstreams[0]?.credentials,
    config.readLimit,
    config.writeLimit,
    config.addressLimit,
    config.corsOrigins,
    config.trustedProxies,
    config.trustedProxies[0],
    config.auditKeys
  ]) {
    t.ok(Object.isFrozen(part))
  }
})

t.test('other commands need no credentials of the vendor, and are strict about the store', async t => {
  const keysIn = (folder: string) => ({ dataDir: folder, signingKeyFile: undefined, fingerprintKeyFile: undefined })
  t.strictSame(readStoreConfig({}), {
    home: { kind: 'sqlite', file: resolve('data/livegate.db') },
    auditKeys: keysIn(resolve('data')),
    logLevel: 'info'
  })
  t.strictSame(readStoreConfig({ DATABASE_URL: 'sqlite:x.db', LOG_LEVEL: 'debug', PORT: 'x' }), {
    home: { kind: 'sqlite', file: resolve('x.db') },
    auditKeys: keysIn(resolve('.')),
    logLevel: 'debug'
  })
  t.match(problemOf({ DATABASE_URL: 'x', LOG_LEVEL: 'x' }, readStoreConfig), /^DATABASE_URL .*; LOG_LEVEL /)
})

t.test('a command that may ask the vendor needs its credentials and nothing else', async t => {
  t.match(readUpstreams({ ...needed, PORT: 'x' }), [{ name: 'default', provider: 'dyte' }])
  const ways = 'DYTE_ORG_ID and DYTE_API_KEY, or REALTIMEKIT_ACCOUNT_ID, REALTIMEKIT_APP_ID and REALTIMEKIT_API_TOKEN'
  t.equal(problemOf({}, readUpstreams), `the vendor account is missing: set ${ways}, or LIVEGATE_UPSTREAMS_FILE`)
  t.equal(problemOf({ DYTE_ORG_ID: 'x' }, readUpstreams), 'DYTE_API_KEY is missing')
})

t.test('the environment is that of this process', async t => {
  t.equal(environment, process.env)
})
