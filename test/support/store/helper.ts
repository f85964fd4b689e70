import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { type Ending, type Subject, toAuditEvent } from '../../../src/audit/ocsf.ts'
import { type ApiKey, makeKey } from '../../../src/domain/api-key.ts'
import type { AuditEvent } from '../../../src/domain/audit/audit-event.ts'
import type { Caller } from '../../../src/domain/caller.ts'
import { noLiveLimits } from '../../../src/domain/ends/live-limits.ts'
import type { Operation } from '../../../src/domain/operation.ts'
import { usualPresetRule } from '../../../src/domain/preset.ts'
import { presets } from '../../../src/domain/scope.ts'
import type { Tenant } from '../../../src/domain/tenant.ts'
import type { Engine } from '../../../src/store/engine/engine.ts'
import { migrate, schemaVersion } from '../../../src/store/schema/migrations.ts'
import type { Store } from '../../../src/store/store.ts'
import { tenantsIn } from '../../../src/store/tables/tenants.ts'
import { inMemory } from '../in-memory.ts'
import { openEmptyEngine, openStoreHere, sqlOfStores } from '../store.ts'

interface TestContext {
  ok(value: unknown, message: string): unknown
  teardown(fn: () => unknown): void
  testdir(): string
}

/** With what the call was refused; tap's own `rejects` does not compare classes of errors. */
/** Turns a store into one of the version before. */
export function makeOlder(file: string): void {
  const database = new Database(file)
  database.exec('drop index api_keys_predecessor; alter table api_keys drop column predecessor_id')
  database.exec('drop table key_uses')
  database.exec(`update meta set value = '${schemaVersion - 1}' where name = 'schema_version'`)
  database.close()
}

export function refusalOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => 'accepted',
    error => error
  )
}

/** An empty store with two tenants, acme and globex. */
export async function storeWithTenants(t: TestContext): Promise<{ store: Store; file: string }> {
  const file = join(inMemory(t).testdir(), 'livegate.db')
  const store = await openStoreHere(file)
  t.teardown(() => store.close())
  for (const id of ['acme', 'globex']) await tenantsIn(store).create(tenantNamed(id))
  return { store, file }
}

/** A store as that version left it, still to be filled by statements of its time. */
export async function engineOfVersion(file: string, version: number): Promise<Engine> {
  const engine = await openEmptyEngine(file)
  const enough = new Error('no further step')
  let steps = 0
  const firstSteps: Engine['write'] = (statements, options) => {
    const claimsStep = statements[0]?.changes === 1
    return claimsStep && ++steps > version ? Promise.reject(enough) : engine.write(statements, options)
  }
  await migrate({ ...engine, write: firstSteps }, sqlOfStores()).catch(error => {
    if (error !== enough) throw error
  })
  return engine
}

export function tenantNamed(id: string, more: Partial<Tenant> = {}): Tenant {
  const limits = { readLimit: null, writeLimit: null, limits: noLiveLimits, presetRule: usualPresetRule }
  return { id, name: id, upstream: 'default', ...limits, suspended: false, createdAtMs: 1_000, ...more }
}

/** A key as it is stored: without its text. */
export function keyOf(tenantId: string, more: Partial<ApiKey> = {}): ApiKey {
  const { id, digest } = makeKey()
  const times = { createdAtMs: 1_000, expiresAtMs: null, revokedAtMs: null, predecessorId: null }
  return { id, tenantId, name: 'studio', scopes: ['livestreams:read'], digest, ...times, ...more }
}

/** A caller of acme whose key may do everything. */
export function callerOf(more: Partial<Caller> = {}): Caller {
  const key = keyOf('acme', { scopes: presets.owner })
  const call = {
    keyFingerprint: '',
    idempotency: null,
    address: '127.0.0.1',
    requestId: 'r',
    trace: null,
    markAudited() {}
  }
  return { tenant: tenantNamed('acme'), key, ...call, ...more }
}

export function operationOf(tenantId: string, more: Partial<Operation> = {}): Operation {
  return {
    id: randomUUID(),
    tenantId,
    keyId: 'k1',
    trace: null,
    owner: null,
    kind: 'start',
    meetingId: 'm1',
    livestreamId: null,
    participant: null,
    state: 'sent',
    requestId: 'r1',
    upstream: 'default',
    sentAtMs: 1_000,
    vendorAtMs: null,
    sentAgainAtMs: null,
    settledAtMs: null,
    confirmedVendorAtMs: null,
    openStartId: null,
    upstreamStatus: null,
    reason: null,
    runId: null,
    cause: null,
    idempotency: null,
    answer: null,
    ...more
  }
}

export function eventOf(more: Partial<Subject> = {}, ending: Ending = { outcome: 'done' }, timeMs = 1_000): AuditEvent {
  const caller = { tenantId: 'acme', keyId: 'k1', address: '127.0.0.1', requestId: 'r1' }
  const subject: Subject = { action: 'startLivestream', method: 'POST', ...caller, resources: [], ...more }
  return toAuditEvent(subject, ending, timeMs)
}

/**
 * So many commits stand in the write-ahead log of a SQLite file: its frames say which of them end a transaction
 * (sqlite.org/fileformat2.html#walformat). Few enough commits, that is, that it was not begun anew.
 */
export function commitsIn(file: string): number {
  const wal = readFileSync(`${file}-wal`)
  const frameSize = 24 + wal.readUInt32BE(8)
  let commits = 0
  for (let at = 32; at + frameSize <= wal.length; at += frameSize) {
    const current = wal.compare(wal, 16, 24, at + 8, at + 16) === 0
    if (current && wal.readUInt32BE(at + 4) > 0) commits++
  }
  return commits
}
