import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Config, isLoopback, readConfig } from '../config/config.ts'
import { makeKey } from '../domain/api-key.ts'
import { noLiveLimits } from '../domain/ends/live-limits.ts'
import { usualPresetRule } from '../domain/preset.ts'
import { presets } from '../domain/scope.ts'
import type { UpstreamAccount } from '../domain/upstream-account.ts'
import { systemClock } from '../domain/values/clock.ts'
import { readBootId } from '../gateway/boot.ts'
import { startGateway } from '../gateway.ts'
import { makeLogger } from '../log/logger.ts'
import { createSimulator, usualVendor } from '../simulator/simulator.ts'
import { openStoreHere } from '../store/store.ts'
import { apiKeysIn } from '../store/tables/api-keys.ts'
import { meetingsIn } from '../store/tables/meetings.ts'
import { tenantsIn } from '../store/tables/tenants.ts'
import { UpstreamSet } from '../upstream/account/upstream-set.ts'
import type { Upstream } from '../upstream/provider.ts'
import { cannotListen } from './process/cannot-listen.ts'
import { CommandError, type Io, type JsonOption, print, UsageError } from './process/io.ts'
import { endWith } from './process/shutdown.ts'
import { environmentOf, type SimulatedAccount } from './process/simulated-account.ts'

export interface DemoOptions extends JsonOption {
  host: string
  port: string
  /** A simulated vendor that runs already, e.g. in a container beside this one; with its credentials. */
  vendor?: string
  org?: string
  key?: string
  /** Pages that may call. */
  corsOrigin?: string[]
}

interface Vendor extends SimulatedAccount {
  close(): Promise<void>
}

/** Ceiling of the demo's end; its gateway has half of that. */
const closeWithinMs = 10_000

interface Seeded {
  tenant: string
  key: string
  meeting: string
}

/**
 * A gateway, a simulated vendor and two tenants in one process, on a store that is thrown away: to try Livegate in a minute.
 * The demo reads no configuration and calls nothing but this machine, so it can touch nothing real.
 */
export async function demo(io: Io, options: DemoOptions): Promise<void> {
  const port = /^\d{1,5}$/.test(options.port) ? Number(options.port) : Number.NaN
  if (!(port <= 65_535)) throw new UsageError('--port must be a whole number from 0 to 65535')
  if (options.host.startsWith('unix:')) throw new UsageError('--host must be an address: the demo is for a browser')
  const opened: (() => Promise<unknown>)[] = []
  const closeAll = async (): Promise<void> => {
    while (opened.length > 0) await opened.pop()?.()
  }
  const starting = start(io, options, port, opened)
  // Signals are taken from the first moment on, so that an early Ctrl-C leaves nothing behind either.
  const forget = endWith({
    withinMs: closeWithinMs,
    async close() {
      await starting.catch(() => {})
      await closeAll()
    }
  })
  try {
    const { url, vendor, tenants } = await starting
    print(io, options, { url, docs: `${url}/docs`, vendor, tenants }, welcome(url, tenants))
  } catch (error) {
    forget()
    await closeAll()
    throw cannotListen(error, '--host and --port say where')
  }
}

/** Opens all parts. Each is in `opened` at once, to be closed from the last to the first. */
async function start(
  io: Io,
  options: DemoOptions,
  port: number,
  opened: (() => Promise<unknown>)[]
): Promise<{ url: string; vendor: string; tenants: Seeded[] }> {
  const vendor = await openVendor(options)
  opened.push(() => vendor.close())
  const folder = await mkdtemp(join(tmpdir(), 'livegate-demo-'))
  opened.push(() => rm(folder, { recursive: true, force: true }))
  const storeFile = join(folder, 'livegate.db')
  // The demo leaves out this process's environment, so that it touches nothing real.
  const config = readConfig({
    HOST: options.host,
    PORT: String(port),
    DATABASE_URL: `sqlite:${storeFile}`,
    ...environmentOf(vendor),
    LIVEGATE_CORS_ORIGINS: (options.corsOrigin ?? []).join(','),
    LIVEGATE_SHUTDOWN_MS: '5000'
  })
  const tenants = await seed(config, storeFile)
  const [first] = tenants as [Seeded]
  const gateway = await startGateway({
    config,
    prefill: { key: first.key, meeting: first.meeting },
    // Standard output is for people, or for one JSON document.
    logger: makeLogger('warn', { write: line => io.err(line.trimEnd()) })
  })
  opened.push(() => gateway.close())
  // A container listens on all addresses; people call this one.
  const url = gateway.url.replace(/\/\/(0\.0\.0\.0|\[::\])/, '//127.0.0.1')
  return { url, vendor: vendor.url, tenants }
}

async function openVendor({ vendor, org, key }: DemoOptions): Promise<Vendor> {
  if (vendor === undefined) return createSimulator()
  const url = URL.parse(vendor)
  if (url === null || url.protocol !== 'http:' || !isLoopback(url.hostname) || org === undefined || key === undefined) {
    throw new UsageError(
      '--vendor must be an http address of this machine, with --org and --key: the demo is for a simulated vendor'
    )
  }
  return { vendor: usualVendor, url: vendor, credentials: { org, key }, async close() {} }
}

/** Two tenants, each with a key that may do everything and a meeting. */
async function seed({ upstreams, deadlineMs, auditKeys: { dataDir } }: Config, storeFile: string): Promise<Seeded[]> {
  const [account] = upstreams as [UpstreamAccount]
  // These calls leave a record of the quota: without one the gateway would warn at its start.
  const log = { warn() {}, error() {} }
  const vendors = new UpstreamSet({ dataDir, deadlineMs, bootId: readBootId(), clock: systemClock, log })
  await vendors.open(upstreams)
  const vendor = vendors.upstreams.get(account.name) as Upstream
  const provider = vendor.on({ tenantId: 'operator', priority: 'mutation' })
  const store = await openStoreHere(storeFile)
  try {
    const seeded: Seeded[] = []
    for (const [tenant, name, title] of [
      ['acme', 'Acme', 'Friday show'],
      ['globex', 'Globex', 'Board meeting']
    ] as const) {
      const createdAtMs = Date.now()
      const limits = { readLimit: null, writeLimit: null, limits: noLiveLimits, presetRule: usualPresetRule }
      await tenantsIn(store).create({ id: tenant, name, upstream: 'default', ...limits, suspended: false, createdAtMs })
      const { id, key, digest } = makeKey()
      const times = { createdAtMs, expiresAtMs: null, revokedAtMs: null, predecessorId: null }
      await apiKeysIn(store).create({ id, tenantId: tenant, name: 'demo', scopes: presets.owner, digest, ...times })
      const meeting = await provider.createMeeting({ title }, AbortSignal.timeout(5_000)).catch(cause => {
        throw new CommandError(`${account.baseUrl}: ${cause instanceof Error ? cause.message : cause}`, { cause })
      })
      await meetingsIn(store).assign(tenant, 'default', [meeting.id], createdAtMs)
      seeded.push({ tenant, key: key.reveal(), meeting: meeting.id })
    }
    return seeded
  } finally {
    await store.close()
    await vendors.close()
  }
}

function welcome(url: string, tenants: Seeded[]): string {
  const [acme] = tenants
  const lines = tenants.map(
    ({ tenant, key, meeting }) => `  ${tenant.padEnd(7)} key ${key}\n          meeting ${meeting}`
  )
  const call = `curl -sS -H 'Authorization: Bearer ${acme?.key}'`
  const meeting = `${url}/v2/meetings/${acme?.meeting}`
  return `
Livegate's demo runs: a gateway, a simulated vendor, two tenants. Stop it with Ctrl-C; nothing is kept.

${lines.join('\n')}

Start, inspect and stop a livestream (paste in another terminal):

${call} -X POST ${meeting}/livestreams
${call} ${meeting}/active-livestream
${call} ${url}/v2/livestreams
${call} -X POST ${meeting}/active-livestream/stop

Swagger UI: ${url}/docs (key and meeting of acme are filled in: press Execute)
`
}
