import type { LiveLimits } from '../../domain/ends/live-limits.ts'
import type { PresetRule } from '../../domain/preset.ts'
import type { Tenant } from '../../domain/tenant.ts'
import { formatRateLimit, parseRateLimit } from '../../domain/values/rate-limit.ts'
import { type Statement, writeIf } from '../engine/engine.ts'
import { nextRevision, type TenantsTable, thisRevision } from '../schema/database.ts'
import type { Store } from '../store.ts'

export type TenantChange = Partial<Omit<Tenant, 'id' | 'createdAtMs' | 'limits' | 'presetRule'>> & {
  limits?: Partial<LiveLimits>
  presetRule?: Partial<PresetRule>
}

/** The table `tenants`. */
export function tenantsIn({ engine, sql }: Store) {
  return {
    /** @param also belongs into the same transaction. @throws UniqueViolation when the id is taken */
    async create(tenant: Tenant, ...also: Statement[]): Promise<void> {
      const row = { ...toColumns(tenant), id: tenant.id, created_at: tenant.createdAtMs }
      await engine.write([
        nextRevision(sql),
        sql
          .insertInto('tenants')
          .values({ ...row, revision: thisRevision() })
          .compile(),
        ...also
      ])
    },

    /** False when there is no such tenant. */
    async update(id: string, change: TenantChange, nowMs: number, ...also: Statement[]): Promise<boolean> {
      const query = sql
        .updateTable('tenants')
        .set({ ...toColumns(change, nowMs), revision: thisRevision() })
        .where('id', '=', id)
        .compile()
      return writeIf(engine, [nextRevision(sql), { ...query, changes: 1 }, ...also])
    },

    async find(id: string): Promise<Tenant | null> {
      const [row] = await engine.read(sql.selectFrom('tenants').selectAll().where('id', '=', id).compile())
      return row === undefined ? null : toTenant(row)
    },

    async list(): Promise<Tenant[]> {
      const rows = await engine.read(sql.selectFrom('tenants').selectAll().orderBy('id').compile())
      return rows.map(toTenant)
    },

    /** Changes since `revision`, for the memory that follows. */
    async changedSince(revision: number): Promise<{ revision: number; tenant: Tenant }[]> {
      const rows = await engine.read(
        sql.selectFrom('tenants').selectAll().where('revision', '>', revision).orderBy('revision').compile()
      )
      return rows.map(row => ({ revision: row.revision, tenant: toTenant(row) }))
    }
  }
}
export type Tenants = ReturnType<typeof tenantsIn>

function toColumns(tenant: Tenant): Omit<TenantsTable, 'id' | 'created_at' | 'revision'>
function toColumns(change: TenantChange, nowMs: number): Partial<TenantsTable>
function toColumns(
  { name, upstream, readLimit, writeLimit, suspended, limits = {}, presetRule = {} }: TenantChange,
  nowMs = 0
): Partial<TenantsTable> {
  return {
    ...(name !== undefined && { name }),
    ...(upstream !== undefined && { upstream }),
    ...(readLimit !== undefined && { read_limit: readLimit && formatRateLimit(readLimit) }),
    ...(writeLimit !== undefined && { write_limit: writeLimit && formatRateLimit(writeLimit) }),
    ...(suspended !== undefined && { suspended_at: suspended ? nowMs : null }),
    ...limitColumns(limits),
    ...presetColumns(presetRule)
  }
}

function limitColumns(limits: Partial<LiveLimits>): Partial<TenantsTable> {
  const { maxDurationSeconds, defaultDurationSeconds, maxLive, minutesPerMonth, stopWithMeeting } = limits
  return {
    ...(maxDurationSeconds !== undefined && { max_duration_seconds: maxDurationSeconds }),
    ...(defaultDurationSeconds !== undefined && { default_duration_seconds: defaultDurationSeconds }),
    ...(maxLive !== undefined && { max_live: maxLive }),
    ...(minutesPerMonth !== undefined && { minutes_per_month: minutesPerMonth }),
    ...(stopWithMeeting !== undefined && { stop_with_meeting: stopWithMeeting ? null : 'off' })
  }
}

function presetColumns({ presets, serverStartsOnly }: Partial<PresetRule>): Partial<TenantsTable> {
  return {
    ...(presets !== undefined && { presets: presets && JSON.stringify(presets) }),
    ...(serverStartsOnly !== undefined && { server_starts_only: serverStartsOnly ? 'on' : null })
  }
}

function toTenant(row: TenantsTable): Tenant {
  return {
    id: row.id,
    name: row.name,
    upstream: row.upstream,
    readLimit: row.read_limit === null ? null : parseRateLimit(row.read_limit),
    writeLimit: row.write_limit === null ? null : parseRateLimit(row.write_limit),
    limits: {
      maxDurationSeconds: row.max_duration_seconds,
      defaultDurationSeconds: row.default_duration_seconds,
      maxLive: row.max_live,
      minutesPerMonth: row.minutes_per_month,
      stopWithMeeting: row.stop_with_meeting !== 'off'
    },
    presetRule: {
      presets: row.presets === null ? null : (JSON.parse(row.presets) as string[]),
      serverStartsOnly: row.server_starts_only === 'on'
    },
    suspended: row.suspended_at !== null,
    createdAtMs: row.created_at
  }
}
