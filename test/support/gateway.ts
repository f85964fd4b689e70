import { dirname, join } from 'node:path'
import { Writable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { openAuditKeys } from '../../src/audit/keys/key-files.ts'
import type { Config } from '../../src/config/config.ts'
import { makeKey } from '../../src/domain/api-key.ts'
import type { AuditEvent } from '../../src/domain/audit/audit-event.ts'
import { noLiveLimits } from '../../src/domain/ends/live-limits.ts'
import { usualPresetRule } from '../../src/domain/preset.ts'
import { presets, type Scope } from '../../src/domain/scope.ts'
import type { Clock } from '../../src/domain/values/clock.ts'
import type { Quota } from '../../src/domain/values/quota.ts'
import { type Gateway, type GatewayOptions, startGateway } from '../../src/gateway.ts'
import type { LogOutput } from '../../src/log/log-output.ts'
import { makeLogger } from '../../src/log/logger.ts'
import { createSimulator, type Simulator, type SimulatorOptions } from '../../src/simulator/simulator.ts'
import type { Store } from '../../src/store/store.ts'
import { apiKeysIn } from '../../src/store/tables/api-keys.ts'
import { meetingsIn } from '../../src/store/tables/meetings.ts'
import { tenantsIn } from '../../src/store/tables/tenants.ts'
import type { Vendors } from '../../src/upstream/vendors/vendor.ts'
import { checkAuditLog } from './audit-log.ts'
import { type Client, client } from './client.ts'
import { configFor } from './config.ts'
import { inMemory } from './in-memory.ts'
import { databaseOf, isOnPostgres } from './postgres/stores.ts'
import { openStoreHere } from './store.ts'
import type { TestContext } from './test-context.ts'
import { unmovedUpstream } from './unmoved-upstream.ts'

export { type Client, client, type Reply, withoutRequestId } from './client.ts'
export { configFor } from './config.ts'
export type { TestContext } from './test-context.ts'

export interface World extends Gateway {
  app: FastifyInstance
  simulator: Simulator
  store: Store
  /** The SQLite file; its folder is the test's own. */
  storeFile: string
  /** A meeting of acme and one of globex. */
  meeting: string
  otherMeeting: string
  /** With a key of the preset `owner`. */
  asAcme: Client
  asGlobex: Client
  /** With this `Authorization` header, or none. */
  as(authorization: string | null): Client
  /** Makes a key and a client that carries it as Bearer. */
  withKey(
    tenant: string,
    scopes: Scope[],
    times?: { expiresAtMs?: number }
  ): Promise<{ id: string; key: string; call: Client }>
  /** All audit events in order, after everything that was appended is written. */
  events(): Promise<AuditEvent[]>
  /** Everything that the logger wrote, as text. */
  logs(): string
  /** Vendor calls as `METHOD target`, in order. */
  upstream(): string[]
}

export interface WorldOptions {
  simulator?: SimulatorOptions
  config?: Partial<Config>
  /** The vendor's address as Livegate is told; else `simulator.url`. */
  vendorUrl?(simulator: Simulator): string
  /** The vendor's quota as Livegate is told. */
  quota?: Quota
  /** The test makes call after call fail: neither breaker nor quota come between (`unmoved-upstream.ts`). */
  unmoved?: boolean
  clock?: Clock
  /** The vendors that there are. Default: all that Livegate speaks to. */
  vendors?: Vendors
  /** The disk of a busy machine may be slow: no mutation is refused since its record takes longer than a second. */
  slowDisk?: boolean
  /** Before the gateway starts, with the store open: to leave something behind as an earlier process would. */
  before?(store: Store, simulator: Simulator, folder: string): Promise<void>
  /** The log's destination; `logs()` stays empty then. */
  logOutput?: LogOutput
  /** The store has threads of its own and is on disk, as in production: for a test that is about them. They cost more than all else of most gateways. */
  threads?: boolean
  /** Way to the receivers of webhooks. Default: no name leads anywhere. */
  webhookWay?: GatewayOptions['webhookWay']
  /** Longest time for an answer of Valkey. */
  valkeyWithinMs?: number
  /** Time as the watch over the load needs it. Default: a gateway is never late, however busy the machine is. */
  timing?: GatewayOptions['timing']
  /** The test harms the store or its log for good: at its end nothing is asked of them. */
  damaged?: boolean
}

/**
 * A whole gateway on real sockets in front of a simulated vendor, with two tenants. Ends with the test, which fails when the
 * audit log that it leaves is not as it must be (`audit-log.ts`).
 */
export async function gateway(t: TestContext, options: WorldOptions = {}): Promise<World> {
  const storeFile = join((options.threads ? t : inMemory(t)).testdir(), 'livegate.db')
  const opened: (() => unknown)[] = []
  t.teardown(() => endAll(opened))
  const simulator = await createSimulator({ liveAfterMs: 0, participantPut: 'answer', ...options.simulator })
  opened.push(() => simulator.close())
  const store = await openStoreHere(storeFile)
  opened.push(() => store.close())

  const meeting = simulator.addMeeting({ title: 'Friday show' }).id
  const otherMeeting = simulator.addMeeting({ title: 'Board meeting' }).id
  await addTenant(store, 'acme', meeting)
  await addTenant(store, 'globex', otherMeeting)
  const acme = await addKey(store, 'acme', presets.owner)
  const globex = await addKey(store, 'globex', presets.owner)
  await options.before?.(store, simulator, dirname(storeFile))

  let log = ''
  const destination = new Writable({
    write(chunk, _encoding, done) {
      log += chunk
      done()
    }
  })
  const vendor = { ...simulator, url: options.vendorUrl?.(simulator) ?? simulator.url }
  const configured = { ...configFor(vendor, storeFile), ...options.config }
  const { quota } = options
  const upstreams = configured.upstreams.map(account => ({ ...account, ...(quota !== undefined && { quota }) }))
  const config = { ...configured, upstreams, ...(await homeOf(storeFile, options.config?.home)) }
  const running = await startGateway({
    config,
    logger: makeLogger(config.logLevel, options.logOutput ?? destination),
    ...(options.logOutput !== undefined && { logOutput: options.logOutput }),
    ...(options.unmoved && { upstreams: new Map([['default', unmovedUpstream(config)]]) }),
    ...(options.clock !== undefined && { clock: options.clock }),
    ...(options.vendors !== undefined && { vendors: options.vendors }),
    timing: options.timing ?? neverLate,
    ...(options.slowDisk && { writeWithinMs: 60_000 }),
    ...(options.valkeyWithinMs !== undefined && { valkeyWithinMs: options.valkeyWithinMs }),
    webhookWay: options.webhookWay ?? { resolve: async () => [] },
    ...(!options.threads && { open: openStoreHere })
  })
  const tenantKeys = { "acme's key": secretOf(acme), "globex's key": secretOf(globex) }
  if (!options.damaged) opened.push(() => checkAuditLog(store, { ...tenantKeys, ...secretsOf(simulator) }))
  opened.push(() => running.close())
  const as = (authorization: string | null) => client(running.url, authorization)

  return {
    ...running,
    simulator,
    store,
    storeFile,
    meeting,
    otherMeeting,
    as,
    asAcme: as(`Bearer ${acme.key}`),
    asGlobex: as(`Bearer ${globex.key}`),
    async withKey(tenant, scopes, times) {
      const { id, key } = await addKey(store, tenant, scopes, times)
      Object.assign(tenantKeys, { [`the key ${id}`]: secretOf({ key }) })
      await running.directory.pull()
      return { id, key, call: as(`Bearer ${key}`) }
    },
    async events() {
      await running.flushAudit()
      const rows = await store.engine.read(
        store.sql.selectFrom('audit_events').select('event').orderBy('seq').compile()
      )
      return rows.map(row => JSON.parse(row.event) as AuditEvent)
    },
    logs: () => log,
    upstream: () => simulator.journal.map(({ method, target }) => `${method} ${target}`)
  }
}

/** The store of a gateway, with keys: one in PostgreSQL has them already. */
async function homeOf(storeFile: string, given?: Config['home']): Promise<Partial<Config>> {
  if (!isOnPostgres()) return {}
  const dataDir = dirname(storeFile)
  await openAuditKeys({ dataDir }, { publicKey: null, fingerprintCheck: null })
  return { home: given ?? (await databaseOf(storeFile)), auditKeys: { dataDir, areMade: false } }
}

const neverLate = { now: () => 0, after: () => () => {} }

/** The part of a key that nobody may know, `lgk_<id>_` before it and the checksum after it: so that a part of the key is found too. */
function secretOf({ key }: { key: string }): string {
  return key.slice(17, -6)
}

/** Secrets that must not stand in any event. */
function secretsOf({ vendor, org, key, account, app, token, livestreams }: Simulator): Record<string, string> {
  const ofDyte = { 'the organization id': org, 'the API key': key, 'the Basic credentials': `${org}:${key}` }
  const ofRealtimekit = { 'the account id': account, 'the app id': app, 'the API token': token }
  return {
    ...(vendor === 'dyte' ? ofDyte : ofRealtimekit),
    'an ingest address': 'rtmps://',
    ...Object.fromEntries(livestreams().map(one => [`the stream key of ${one.id}`, one.stream_key]))
  }
}

/** In reverse order and all of them, whatever fails; tap would leave out those after a failure. @throws the first failure */
async function endAll(opened: (() => unknown)[]): Promise<void> {
  const failures: unknown[] = []
  for (const end of opened.reverse()) {
    try {
      await end()
    } catch (error) {
      failures.push(error)
    }
  }
  if (failures.length > 0) throw failures[0]
}

export async function addTenant(store: Store, id: string, ...meetings: string[]): Promise<void> {
  const limits = { readLimit: null, writeLimit: null, limits: noLiveLimits, presetRule: usualPresetRule }
  const createdAtMs = Date.now()
  await tenantsIn(store).create({ id, name: id, upstream: 'default', ...limits, suspended: false, createdAtMs })
  await meetingsIn(store).assign(id, 'default', meetings, createdAtMs)
}

export async function addKey(
  store: Store,
  tenantId: string,
  scopes: readonly Scope[],
  { expiresAtMs = null }: { expiresAtMs?: number | null } = {}
): Promise<{ id: string; key: string }> {
  const { id, key, digest } = makeKey()
  const times = { createdAtMs: Date.now(), expiresAtMs, revokedAtMs: null, predecessorId: null }
  await apiKeysIn(store).create({ id, tenantId, name: 'test', scopes, digest, ...times })
  return { id, key: key.reveal() }
}
