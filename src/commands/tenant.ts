import type { AuditResource } from '../domain/audit/audit-event.ts'
import { noLiveLimits } from '../domain/ends/live-limits.ts'
import { usualPresetRule } from '../domain/preset.ts'
import { isTenantId, type Tenant } from '../domain/tenant.ts'
import { formatRateLimit, parseRateLimit, type RateLimit } from '../domain/values/rate-limit.ts'
import { UniqueViolation } from '../store/engine/engine.ts'
import { stopOrdersIn } from '../store/tables/runs/stop-orders.ts'
import { type TenantChange, tenantsIn } from '../store/tables/tenants.ts'
import { seeThrough } from './livestream/see-through.ts'
import { newOrder, readWait, type WaitOption } from './livestream/stop.ts'
import { tell } from './livestream/tell.ts'
import { CommandError, checkName, type Io, type JsonOption, print, table, UsageError, when } from './process/io.ts'
import { checkLiveLimits, type LiveLimitOptions, readLiveLimits, shownLiveLimits } from './process/live-limits.ts'
import { type PresetOptions, readPresetRule, shownPresetRule } from './process/preset-rule.ts'
import { checkUpstream, usualUpstream } from './process/upstream-accounts.ts'
import { type Change, tenantOf, withAudit, withSnapshot } from './process/with-store.ts'

export interface TenantOptions extends JsonOption, LiveLimitOptions, PresetOptions {
  name?: string
  upstream?: string
  readLimit?: string
  writeLimit?: string
}

export async function createTenant(io: Io, id: string, options: TenantOptions): Promise<void> {
  if (!isTenantId(id))
    throw new UsageError('a tenant id is lower-case letters and digits joined by hyphens, at most 63')
  const change = readChange(options)
  const { upstream = usualUpstream(io, id) } = options
  checkUpstream(io, id, upstream)
  const limits = { ...noLiveLimits, ...change.limits }
  checkLiveLimits(limits)
  const tenant: Tenant = {
    id,
    name: change.name ?? id,
    upstream,
    readLimit: change.readLimit ?? null,
    writeLimit: change.writeLimit ?? null,
    limits,
    presetRule: { ...usualPresetRule, ...change.presetRule },
    suspended: false,
    createdAtMs: Date.now()
  }
  await withAudit(io, async ({ store, record }) => {
    await tenantsIn(store)
      .create(tenant, record(changeOf(id, 'createTenant', 'POST')))
      .catch(error => {
        throw error instanceof UniqueViolation ? new CommandError(`the tenant ${id} exists already`) : error
      })
  })
  print(io, options, shown(tenant), `created tenant ${id}; next: livegate key create ${id} --preset operator`)
}

export async function updateTenant(io: Io, id: string, options: TenantOptions): Promise<void> {
  const change = readChange(options)
  if (Object.keys(change).length === 0)
    throw new UsageError('nothing to change: give --name or a limit, like --read-limit or --max-duration')
  await applyChange(io, id, change, options, 'update')
}

/**
 * Sends what is new of the tenant, meetings and independent livestreams, to another upstream. What there is stays where it is,
 * since no vendor can give it to another one.
 */
export async function moveTenant(io: Io, id: string, options: JsonOption & { upstream: string }): Promise<void> {
  const { upstream } = options
  checkUpstream(io, id, upstream)
  await applyChange(io, id, { upstream }, options, 'move', [{ type: 'upstream', uid: upstream }])
}

/** With `--stop-all` the order to stop what it has live stands with the suspension, in one transaction. */
export async function suspendTenant(io: Io, id: string, options: WaitOption & { stopAll?: boolean }): Promise<void> {
  if (!options.stopAll) return applyChange(io, id, { suspended: true }, options, 'suspend')
  const waitMs = readWait(options)
  const { tenant, orderId } = await withAudit(io, async ({ store, record, worker }) => {
    await tenantOf(store, id)
    const order = newOrder('suspended', id, worker)
    const also = [record(changeOf(id, 'suspendTenant', 'PATCH')), ...stopOrdersIn(store).give(order, null)]
    await tenantsIn(store).update(id, { suspended: true }, Date.now(), ...also)
    return { tenant: await tenantOf(store, id), orderId: order.id }
  })
  const seen = await seeThrough(io, orderId, waitMs)
  tell(io, options, seen, { value: shown(tenant), text: `suspended tenant ${id}` })
}

export async function resumeTenant(io: Io, id: string, options: JsonOption): Promise<void> {
  await applyChange(io, id, { suspended: false }, options, 'resume')
}

export async function showTenant(io: Io, id: string, options: JsonOption): Promise<void> {
  const tenant = await withSnapshot(io, store => tenantOf(store, id))
  const facts = Object.entries(shown(tenant)).map(([name, value]) => [
    name,
    value ?? (name.endsWith('_limit') || name === 'presets' ? 'default' : 'none')
  ])
  print(io, options, shown(tenant), table([['field', 'value'], ...facts.map(row => row.map(String))], ''))
}

export async function listTenants(io: Io, options: JsonOption): Promise<void> {
  const tenants = await withSnapshot(io, store => tenantsIn(store).list())
  const rows = tenants.map(({ id, name, upstream, suspended, createdAtMs }) => [
    id,
    name,
    upstream,
    suspended ? 'suspended' : 'active',
    when(createdAtMs)
  ])
  const text = table(
    [['id', 'name', 'upstream', 'state', 'created'], ...rows],
    'no tenants yet: livegate tenant create <id>'
  )
  print(io, options, tenants.map(shown), text)
}

const done = { update: 'updated', move: 'moved', suspend: 'suspended', resume: 'resumed' } as const

async function applyChange(
  io: Io,
  id: string,
  change: TenantChange,
  options: JsonOption,
  what: keyof typeof done,
  also: AuditResource[] = []
): Promise<void> {
  const tenant = await withAudit(io, async ({ store, record }) => {
    const { limits } = await tenantOf(store, id)
    checkLiveLimits({ ...limits, ...change.limits })
    await tenantsIn(store).update(id, change, Date.now(), record(changeOf(id, `${what}Tenant`, 'PATCH', also)))
    return tenantOf(store, id)
  })
  const where = what === 'move' ? `: what is new of it is made at ${tenant.upstream}` : ''
  print(io, options, shown(tenant), `${done[what]} tenant ${id}${where}`)
}

function changeOf(id: string, action: string, method: Change['method'], also: AuditResource[] = []): Change {
  return { action, method, tenantId: id, resources: [{ type: 'tenant', uid: id }, ...also] }
}

function readChange(options: TenantOptions): TenantChange {
  const { name, readLimit, writeLimit } = options
  checkName(name)
  const limits = readLiveLimits(options)
  const presetRule = readPresetRule(options)
  return {
    ...(name !== undefined && { name }),
    ...(readLimit !== undefined && { readLimit: readLimitOption('--read-limit', readLimit) }),
    ...(writeLimit !== undefined && { writeLimit: readLimitOption('--write-limit', writeLimit) }),
    ...(Object.keys(limits).length > 0 && { limits }),
    ...(Object.keys(presetRule).length > 0 && { presetRule })
  }
}

/** `default` gives a tenant the configured limit again. */
function readLimitOption(option: string, text: string): RateLimit | null {
  if (text === 'default') return null
  const limit = parseRateLimit(text)
  if (limit === null)
    throw new UsageError(
      `${option} must be calls/seconds or calls/seconds,burst, like 600/60 or 600/60,100, or default`
    )
  return limit
}

function shown({ id, name, upstream, readLimit, writeLimit, limits, presetRule, suspended, createdAtMs }: Tenant) {
  return {
    id,
    name,
    upstream,
    read_limit: readLimit && formatRateLimit(readLimit),
    write_limit: writeLimit && formatRateLimit(writeLimit),
    ...shownLiveLimits(limits),
    ...shownPresetRule(presetRule),
    suspended,
    created_at: new Date(createdAtMs).toISOString()
  }
}
