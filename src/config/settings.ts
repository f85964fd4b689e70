import { baseUrlField, secretFields, variableOf } from '../upstream/vendors/settings.ts'
import type { Vendors } from '../upstream/vendors/vendor.ts'
import { vendors as allVendors } from '../upstream/vendors/vendors.ts'
import { auditLog } from './audit-settings.ts'
import type { Input } from './environment.ts'
import { metricsSettings } from './metrics.ts'
import { observing } from './observing.ts'
import {
  choice,
  host,
  networks,
  optionalNumber,
  origins,
  peers,
  publicAddress,
  rateLimit,
  type Setting,
  secret,
  secretText,
  text,
  wholeNumber
} from './setting.ts'

const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const

/** Variables of the vendors' accounts: each vendor's folder says what they are. */
function accountsOf(vendors: Vendors): Record<string, Setting<string>> {
  const all = [...vendors.values()].flatMap(({ settings }) => {
    const { usualBaseUrl, about } = settings
    const named = (field: string, setting: Setting<string>) => [variableOf(settings, field), setting] as const
    return [
      ...secretFields(settings).map(field => named(field, secret(about[field] ?? ''))),
      named(baseUrlField, text(usualBaseUrl, about[baseUrlField] ?? ''))
    ]
  })
  return Object.fromEntries(all)
}

const vendorAccount = {
  LIVEGATE_UPSTREAMS_FILE: text(
    '',
    'Several accounts, two credentials each: a JSON list, read again when it changes ([docs/upstreams.md](upstreams.md)). With it the variables above may stay empty.'
  ),
  LIVEGATE_WEBHOOK_KEY_URL: text(
    '',
    'The address of the key that proves webhooks of the vendor ([docs/webhooks-in.md](webhooks-in.md)).',
    "the vendor's own"
  ),
  LIVEGATE_WEBHOOK_KEY_FILE: text('', 'The key itself instead, as a file (PEM).'),
  HTTPS_PROXY: text(
    '',
    'A proxy on the way to the vendor, like `http://user:password@proxy.example:3128`. Lower-case names are read as well, and come first ([docs/upstreams.md](upstreams.md#through-a-proxy)).'
  ),
  NO_PROXY: text(
    '',
    'Hosts that are reached without the proxy, separated by commas: names with all below them, addresses, networks (`10.0.0.0/8`), or `*`.'
  )
}

const listening = {
  HOST: host(
    '127.0.0.1',
    'The address where it listens. In a container it is `0.0.0.0`. `unix:/run/livegate/livegate.sock` is a Unix socket, for its owner and group alone.'
  ),
  PORT: wholeNumber(
    3_000,
    0,
    65_535,
    'The port where it listens; 0: any free one, which the log names. A Unix socket has none.'
  ),
  LIVEGATE_PUBLIC_URL: publicAddress(
    'The address at which others reach the gateway, with the path that a proxy serves it under. `webhook register` and `doctor` need it.'
  ),
  LIVEGATE_TRUSTED_PROXIES: peers(
    'Proxies before the gateway: addresses and networks (`10.1.2.3, fd12::/64`), separated by commas. Their `X-Forwarded-For` is believed; the addresses in it may have ports. `unix`: whoever connects to the Unix socket of `HOST`.'
  ),
  LIVEGATE_KEEP_ALIVE_MS: wholeNumber(
    620_000,
    1_000,
    86_400_000,
    'How long a connection may stay unused that has carried a valid key, or comes from a trusted proxy, in milliseconds. All others idle for 10 s at most. A proxy must close its own earlier (Envoy: 3600 s, so `3660000` here).'
  ),
  LIVEGATE_MAX_CONNECTIONS: optionalNumber(
    10,
    1_000_000,
    'Connections of callers at the same time. There are always fewer than the limit of open files allows ([docs/limits.md](limits.md#connections)).',
    '`10000`, or what the limit of open files leaves'
  ),
  LIVEGATE_SHUTDOWN_MS: wholeNumber(
    9_000,
    100,
    600_000,
    'Ceiling of a graceful stop, in milliseconds. Whatever hangs, the process has ended 500 ms later.'
  ),
  LIVEGATE_CORS_ORIGINS: origins('Pages of these origins may call: exact, separated by commas.'),
  LIVEGATE_DOCS: choice(
    'public',
    ['off', 'public', 'key'],
    'Readers of `/docs` and `/openapi.json`: nobody (`off`), everybody (`public`), or holders of a key (`key`: the browser asks for tenant and key).'
  )
}

const storeAndLog = {
  DATABASE_URL: secretText(
    'sqlite:./data/livegate.db',
    'The store: a SQLite file, or `postgres://user:password@host:port/database` ([docs/postgres.md](postgres.md)).'
  ),
  LIVEGATE_REPLICAS: wholeNumber(
    1,
    1,
    100,
    'As many gateways may serve a store in PostgreSQL together ([docs/replicas.md](replicas.md)). A file has one.'
  ),
  VALKEY_URL: secretText(
    '',
    'Valkey, or Redis 7, where replicas count together: `redis://user:password@host:port/database`, `rediss:` with TLS ([docs/replicas.md](replicas.md)).',
    'each process counts for itself'
  ),
  LIVEGATE_DISK_FLOOR_MB: wholeNumber(
    512,
    0,
    1_000_000,
    'Less free space for the store than this, in MiB, is warned of (in the log and at `/readyz`).'
  ),
  LOG_LEVEL: choice('info', logLevels, `Lowest level of the JSON lines on standard output: ${logLevels.join(', ')}.`)
}

const limits = {
  LIVEGATE_READ_LIMIT: rateLimit(
    600,
    60,
    'Reads of a tenant that has no limit of its own, as calls/seconds. With `600/60,100` at most 100 come at once, refilled at 600 in 60 s.'
  ),
  LIVEGATE_WRITE_LIMIT: rateLimit(60, 60, 'Writes of a tenant that has no limit of its own, in the same form.'),
  LIVEGATE_ADDRESS_LIMIT: rateLimit(
    120,
    60,
    'Calls of one address without a valid key, those of the documentation included.'
  ),
  LIVEGATE_MAX_IN_FLIGHT: wholeNumber(
    1_000,
    1,
    1_000_000,
    'Requests of one tenant at the same time. A stop is let in beyond it.'
  ),
  LIVEGATE_MAX_STREAMS: wholeNumber(
    1_000,
    1,
    1_000_000,
    'Streams of events of one tenant at the same time ([docs/events.md](events.md#limits)).'
  ),
  LIVEGATE_NEVER_LIVE_MS: wholeNumber(
    900_000,
    60_000,
    86_400_000,
    'A run that is INVOKED for so long, and not on air, is stopped, in milliseconds, 60000 at least ([docs/limits.md](limits.md#runs)).'
  )
}

const vendorCalls = {
  LIVEGATE_UPSTREAM_BUDGET: text(
    '',
    "The vendor's quota, as calls/seconds, for all tenants together ([docs/limits.md](limits.md#the-upstream-budget)).",
    '`2000/60` of Dyte, `1200/300` of RealtimeKit'
  ),
  LIVEGATE_READ_TTL_MS: wholeNumber(
    1_000,
    0,
    60_000,
    'Reads within this time share one answer of the vendor, in milliseconds. With `0` only those share it that ask together.'
  ),
  LIVEGATE_DEADLINE_MS: wholeNumber(
    10_000,
    100,
    120_000,
    'Total time of the vendor calls of one request, in milliseconds.'
  ),
  LIVEGATE_SETTLE_MS: wholeNumber(
    30_000,
    1_000,
    600_000,
    'Time within which an unknown outcome should be found out, in milliseconds; longer than `LIVEGATE_DEADLINE_MS`. One that takes longer is warned of, and the search goes on. For so long a run that was stopped counts as ending, and one that was started may be hidden.'
  ),
  LIVEGATE_RECONCILE_MS: wholeNumber(
    30_000,
    0,
    3_600_000,
    'So often the lists of what runs are compared with the ledger, in milliseconds: 500 at least, or 0 for never. Without it no run is polled that is INVOKED ([docs/ledger.md](ledger.md#reconciliation)).'
  )
}

const webhooks = {
  LIVEGATE_WEBHOOK_RETRY_MS: wholeNumber(
    5_000,
    100,
    3_600_000,
    'Pause after the first failed delivery to a webhook of a tenant, in milliseconds. Each further one is five times as long, up to an hour ([docs/webhooks.md](webhooks.md#retries)).'
  ),
  LIVEGATE_WEBHOOK_NETWORKS: networks(
    'Private networks that webhooks of tenants may lead to (`10.1.0.0/16, fd12::/64`), separated by commas, also with plain `http://`. Without it only public addresses are called ([docs/webhooks.md](webhooks.md#addresses)).'
  )
}

/** Variables that no vendor has. */
export const ownSettings = {
  ...vendorAccount,
  ...listening,
  ...storeAndLog,
  ...limits,
  ...vendorCalls,
  ...webhooks,
  ...auditLog,
  ...metricsSettings,
  ...observing
}

/** Every variable that Livegate knows. `.env.example` and docs/configuration.md are made of it (`npm run settings`). */
export function settingsWith(vendors: Vendors): Record<string, Setting<unknown>> {
  return { ...accountsOf(vendors), ...ownSettings }
}

/** The same, under the headings that documents have. */
export const sections: readonly (readonly [heading: string, settings: Record<string, Setting<unknown>>])[] = [
  ['The vendor account', { ...accountsOf(allVendors), ...vendorAccount }],
  ['The way in', listening],
  ['Store and log', storeAndLog],
  ['Limits of tenants', limits],
  ['Calls to the vendor', vendorCalls],
  ['Webhooks of tenants', webhooks],
  ['The audit log', auditLog],
  ['Metrics', metricsSettings],
  ['Traces, and the log of requests', observing]
]

export type Variable = keyof typeof ownSettings

/** Reads one variable. */
export function readSetting<V extends Variable>(input: Input, name: V): ReturnType<(typeof ownSettings)[V]['read']> {
  return ownSettings[name].read(input, name) as ReturnType<(typeof ownSettings)[V]['read']>
}
