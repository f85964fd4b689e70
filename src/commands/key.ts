import { type ApiKey, keyIdPattern, makeKey } from '../domain/api-key.ts'
import { isPreset, isScope, presets, type Scope, scopes } from '../domain/scope.ts'
import { parseDuration } from '../domain/values/duration.ts'
import { apiKeysIn } from '../store/tables/api-keys.ts'
import { CommandError, checkName, type Io, type JsonOption, print, table, UsageError, when } from './process/io.ts'
import { tenantOf, withAudit, withSnapshot } from './process/with-store.ts'

export interface KeyOptions extends JsonOption {
  preset?: string
  scope?: string[]
  expires?: string
  name?: string
}

/** Makes a key and shows it this once: only its digest is kept. */
export async function createKey(io: Io, tenantId: string, options: KeyOptions): Promise<void> {
  const wanted = readScopes(options)
  checkName(options.name)
  const createdAtMs = Date.now()
  const expiresAtMs = options.expires === undefined ? null : createdAtMs + readDuration(options.expires)
  const { id, key, digest } = makeKey()
  const name = options.name ?? options.preset ?? 'key'
  const apiKey: ApiKey = { id, tenantId, name, scopes: wanted, digest, createdAtMs, expiresAtMs, revokedAtMs: null }
  await withAudit(io, async ({ store, record }) => {
    await tenantOf(store, tenantId)
    const resources = [{ type: 'key' as const, uid: id }]
    await apiKeysIn(store).create(apiKey, record({ action: 'createKey', method: 'POST', tenantId, resources }))
  })
  // Standard output has nothing but the key, so that a shell can take it from there.
  print(io, options, { ...shown(apiKey), key: key.reveal() }, key.reveal())
  if (!options.json) io.err(`key ${id} of ${tenantId}: ${wanted.join(', ')}. It is shown this once; keep it safe.`)
}

export async function listKeys(io: Io, tenantId: string | undefined, options: JsonOption): Promise<void> {
  const keys = await withSnapshot(io, async store => {
    if (tenantId !== undefined) await tenantOf(store, tenantId)
    return apiKeysIn(store).list(tenantId)
  })
  const rows = keys.map(key => [
    key.id,
    key.tenantId,
    key.name,
    stateOf(key),
    when(key.expiresAtMs),
    key.scopes.join(',')
  ])
  print(
    io,
    options,
    keys.map(shown),
    table([['id', 'tenant', 'name', 'state', 'expires', 'scopes'], ...rows], 'no keys')
  )
}

/** Revokes a key. It acts within 5 s on every running gateway. */
export async function revokeKey(io: Io, id: string, options: JsonOption): Promise<void> {
  if (!keyIdPattern.test(id)) throw new UsageError('a key id is the 12 characters after lgk_; never give the whole key')
  await withAudit(io, async ({ store, record }) => {
    const keys = apiKeysIn(store)
    const key = await keys.find(id)
    if (key === null) throw new CommandError(`there is no key ${id}`)
    const resources = [{ type: 'key' as const, uid: id }]
    const event = record({ action: 'revokeKey', method: 'DELETE', tenantId: key.tenantId, resources })
    if (!(await keys.revoke(id, Date.now(), event))) throw new CommandError(`the key ${id} was revoked before`)
  })
  print(io, options, { id, revoked: true }, `revoked key ${id}; it stops working within 5 s`)
}

function readScopes({ preset, scope = [] }: KeyOptions): Scope[] {
  if (preset === undefined && scope.length === 0) {
    throw new UsageError(`give --preset ${Object.keys(presets).join('|')} or --scope <scope> (several times)`)
  }
  if (preset !== undefined && !isPreset(preset)) {
    throw new UsageError(`--preset must be one of ${Object.keys(presets).join(', ')}`)
  }
  const unknown = scope.find(text => !isScope(text))
  if (unknown !== undefined) throw new UsageError(`--scope: ${unknown} is none of ${scopes.join(', ')}`)
  const wanted = new Set<string>([...(preset === undefined ? [] : presets[preset]), ...scope])
  return scopes.filter(known => wanted.has(known))
}

/** Ten years. */
const longestLifeMs = 3_650 * 86_400_000

/** `30m`, `12h`, `90d`, at most ten years, in milliseconds. */
function readDuration(text: string): number {
  const ms = text.endsWith('s') ? null : parseDuration(text)
  if (ms === null || ms > longestLifeMs) throw new UsageError('--expires must be like 30m, 12h or 90d, at most 3650d')
  return ms
}

function stateOf({ revokedAtMs, expiresAtMs }: ApiKey): string {
  if (revokedAtMs !== null) return 'revoked'
  return expiresAtMs !== null && expiresAtMs <= Date.now() ? 'expired' : 'active'
}

function shown(key: ApiKey) {
  const iso = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString())
  return {
    id: key.id,
    tenant_id: key.tenantId,
    name: key.name,
    scopes: key.scopes,
    created_at: iso(key.createdAtMs),
    expires_at: iso(key.expiresAtMs),
    revoked_at: iso(key.revokedAtMs)
  }
}
