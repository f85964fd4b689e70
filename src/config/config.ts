import { dirname, resolve } from 'node:path'
import type { KeyPlaces } from '../audit/keys/key-files.ts'
import type { AuditReads } from '../audit/rollup.ts'
import type { StoreHome } from '../domain/store-home.ts'
import type { UpstreamAccount } from '../domain/upstream-account.ts'
import type { ValkeyHome } from '../domain/valkey-home.ts'
import type { Network } from '../domain/values/address.ts'
import type { RateLimit } from '../domain/values/rate-limit.ts'
import type { Vendors } from '../upstream/vendors/vendor.ts'
import { vendors as allVendors } from '../upstream/vendors/vendors.ts'
import { cutByNode } from './env-files.ts'
import { type Environment, Input, type ReadFile, readText } from './environment.ts'
import { type MetricsConfig, readMetrics } from './metrics.ts'
import { type Observing, readObserving } from './observing.ts'
import { reader, type UpstreamsRead } from './read-upstreams.ts'
import { readSetting, settingsWith } from './settings.ts'
import { readHome } from './store-home.ts'
import { readAccounts } from './upstreams-file.ts'
import { readValkey } from './valkey-home.ts'

export { ConfigError, type Environment, isLoopback } from './environment.ts'
export { readUpstreams, type UpstreamsRead } from './read-upstreams.ts'

/** A list costs two calls of the vendor's quota, and its pages. */
const shortestReconcileMs = 500

/** All settings of a gateway, read once and checked. */
export interface Config extends Observing {
  readonly host: string
  readonly port: number
  readonly home: StoreHome
  /** As many gateways may serve the store. */
  readonly replicas: number
  /** Where replicas count together; null: nowhere. */
  readonly valkey: ValkeyHome | null
  readonly auditKeys: KeyPlaces
  readonly logLevel: string
  readonly upstreams: readonly UpstreamAccount[]
  /** Reads the accounts again from their files; null where no file has any. */
  readonly rereadUpstreams: (() => Promise<UpstreamsRead>) | null
  readonly readLimit: RateLimit
  readonly writeLimit: RateLimit
  readonly addressLimit: RateLimit
  /** Requests of one tenant at the same time. */
  readonly maxInFlight: number
  readonly maxStreams: number
  /** Time that a known connection may stay unused. Known is one that has carried a valid key or comes from a trusted proxy. */
  readonly keepAliveMs: number
  /** Connections of callers at the same time; null: what the limit of open files leaves, 10,000 at most. */
  readonly maxConnections: number | null
  /** Proxies whose `X-Forwarded-For` is believed; that of all others is not. */
  readonly trustedProxies: readonly Network[]
  /** Total time of a vendor call. */
  readonly deadlineMs: number
  /** Time within which an outcome should be known: longer is warned of. For so long a run that was stopped may be shown, and one that was started hidden. */
  readonly settleMs: number
  /** Pause between two looks at all that runs; 0: it is not looked at. */
  readonly reconcileMs: number
  /** A run that is INVOKED for so long is stopped. */
  readonly neverLiveMs: number
  /** Age up to which an answer of the vendor serves other reads; with 0 only reads that ask together share one. */
  readonly readTtlMs: number
  /** Ceiling of a graceful stop. */
  readonly shutdownMs: number
  readonly corsOrigins: readonly string[]
  /** The address at which others reach the gateway; null where it is not set. */
  readonly publicUrl: URL | null
  /** Readers of `/docs`: nobody, everybody, or holders of a key. */
  readonly docs: 'off' | 'public' | 'key'
  /** Pause after the first failed delivery to a webhook of a tenant. */
  readonly webhookRetryMs: number
  /** Private networks that these webhooks may lead to. */
  readonly webhookNetworks: readonly Network[]
  /** Reads that are on record. */
  readonly auditReads: AuditReads
  /** Age at which audit events are removed; null: none ever. */
  readonly auditRetentionDays: number | null
  /** Free space of the store below which a warning is given. */
  readonly diskFloorMb: number
  /** Null: there are none. */
  readonly metrics: MetricsConfig | null
}

/** The places of a store and of the keys of its audit log. */
export interface StoreConfig extends Pick<Config, 'home' | 'logLevel' | 'auditKeys'> {}

/** The environment of this process; nothing else reads it. */
export const environment: Environment = process.env

/** The variables that Livegate knows. */
export const variables = Object.keys(settingsWith(allVendors))

/**
 * Reads the whole configuration of `serve` from the environment.
 * @throws ConfigError naming all problems at once
 */
export function readConfig(
  env: Environment = environment,
  readSecret: ReadFile = readText,
  vendors: Vendors = allVendors
): Config {
  const input = new Input(env, readSecret)
  const store = readStore(input)
  const [host, port] = [readSetting(input, 'HOST'), readSetting(input, 'PORT')]
  const config = {
    ...store,
    valkey: readValkey(input),
    ...readObserving(input),
    host,
    port,
    replicas: readSetting(input, 'LIVEGATE_REPLICAS'),
    metrics: readMetrics(input, host.startsWith('unix:') ? null : port),
    upstreams: readAccounts(input, vendors),
    rereadUpstreams: reader(env, vendors),
    readLimit: readSetting(input, 'LIVEGATE_READ_LIMIT'),
    writeLimit: readSetting(input, 'LIVEGATE_WRITE_LIMIT'),
    addressLimit: readSetting(input, 'LIVEGATE_ADDRESS_LIMIT'),
    maxInFlight: readSetting(input, 'LIVEGATE_MAX_IN_FLIGHT'),
    maxStreams: readSetting(input, 'LIVEGATE_MAX_STREAMS'),
    keepAliveMs: readSetting(input, 'LIVEGATE_KEEP_ALIVE_MS'),
    maxConnections: readSetting(input, 'LIVEGATE_MAX_CONNECTIONS'),
    trustedProxies: readSetting(input, 'LIVEGATE_TRUSTED_PROXIES'),
    deadlineMs: readSetting(input, 'LIVEGATE_DEADLINE_MS'),
    settleMs: readSetting(input, 'LIVEGATE_SETTLE_MS'),
    reconcileMs: readSetting(input, 'LIVEGATE_RECONCILE_MS'),
    neverLiveMs: readSetting(input, 'LIVEGATE_NEVER_LIVE_MS'),
    readTtlMs: readSetting(input, 'LIVEGATE_READ_TTL_MS'),
    shutdownMs: readSetting(input, 'LIVEGATE_SHUTDOWN_MS'),
    corsOrigins: readSetting(input, 'LIVEGATE_CORS_ORIGINS'),
    publicUrl: readSetting(input, 'LIVEGATE_PUBLIC_URL'),
    docs: readSetting(input, 'LIVEGATE_DOCS'),
    webhookRetryMs: readSetting(input, 'LIVEGATE_WEBHOOK_RETRY_MS'),
    webhookNetworks: readSetting(input, 'LIVEGATE_WEBHOOK_NETWORKS'),
    auditReads: readSetting(input, 'LIVEGATE_AUDIT_READS'),
    auditRetentionDays: readSetting(input, 'LIVEGATE_AUDIT_RETENTION_DAYS'),
    diskFloorMb: readSetting(input, 'LIVEGATE_DISK_FLOOR_MB')
  }
  // A start may be under way for the whole deadline, and one look settles no stop meanwhile (`send-stop.ts`).
  if (config.settleMs <= config.deadlineMs) input.problem('LIVEGATE_SETTLE_MS must be longer than LIVEGATE_DEADLINE_MS')
  if (config.reconcileMs > 0 && config.reconcileMs < shortestReconcileMs)
    input.problem(`LIVEGATE_RECONCILE_MS must be 0, or ${shortestReconcileMs} or more`)
  if (config.replicas > 1 && store.home.kind === 'sqlite')
    input.problem('LIVEGATE_REPLICAS must be 1 for a file: several gateways share a store in PostgreSQL')
  finish(input, env, vendors)
  return Object.freeze(config)
}

/** Reads the settings of the store alone, which is all that most commands need. @throws ConfigError */
export function readStoreConfig(env: Environment = environment, readSecret: ReadFile = readText): StoreConfig {
  const input = new Input(env, readSecret)
  const config = readStore(input)
  finish(input, env)
  return config
}

/** Reads the networks of webhooks alone: for a command that calls one, or says where one may lead. @throws ConfigError */
export function readWebhookNetworks(
  env: Environment = environment,
  readSecret: ReadFile = readText
): readonly Network[] {
  const input = new Input(env, readSecret)
  const networks = readSetting(input, 'LIVEGATE_WEBHOOK_NETWORKS')
  input.finish()
  return networks
}

/** Reads where metrics are shown; null where they are not. @throws ConfigError */
export function readMetricsConfig(env: Environment = environment): MetricsConfig | null {
  const input = new Input(env, readText)
  const metrics = readMetrics(input, null)
  input.finish()
  return metrics
}

/** Reads the gateway's own address alone; null where it is not set. @throws ConfigError */
export function readPublicUrl(env: Environment = environment): URL | null {
  const input = new Input(env, readText)
  const url = readSetting(input, 'LIVEGATE_PUBLIC_URL')
  input.finish()
  return url
}

/** Checks for mistakes that any variable can have. @throws ConfigError naming all problems at once */
function finish(input: Input, env: Environment, vendors: Vendors = allVendors): void {
  const settings = new Map(Object.entries(settingsWith(vendors)))
  const isSecret = (name: string): boolean => settings.get(name)?.isSecret === true
  const isKnown = (name: string): boolean =>
    settings.has(name) || (name.endsWith('_FILE') && isSecret(name.slice(0, -'_FILE'.length)))
  const prefixes = ['LIVEGATE', ...[...vendors.values()].map(one => one.settings.prefix)]
  for (const { name, file, at } of cutByNode(env).filter(cut => isKnown(cut.name))) {
    const remedy = (other: string) => (isSecret(name) ? `give it by file (${name}_FILE)` : other)
    input.problem(
      at === '#'
        ? `${name} is cut at a # in ${file}, where Node sees a comment and docker none: ${remedy('write it without a #')}`
        : `${name} begins with a quote in ${file} that ends within its line, or lines later: ${remedy('write it without quotes')}`
    )
  }
  input.refuseQuoted(isKnown)
  input.refuseUnknown(isKnown, prefixes)
  input.finish()
}

function readStore(input: Input): StoreConfig {
  const home = readHome(input)
  const isFile = home.kind === 'sqlite'
  return {
    home,
    auditKeys: Object.freeze({
      dataDir: readSetting(input, 'LIVEGATE_DATA_DIR') ?? (isFile ? dirname(home.file) : resolve('data')),
      signingKeyFile: readSetting(input, 'LIVEGATE_AUDIT_SIGNING_KEY_FILE'),
      fingerprintKeyFile: readSetting(input, 'LIVEGATE_AUDIT_FINGERPRINT_KEY_FILE'),
      ...(!isFile && { areMade: false })
    }),
    logLevel: readSetting(input, 'LOG_LEVEL')
  }
}
