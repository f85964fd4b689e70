import { type ApiKey, keyIdPattern, makeKey } from '../domain/api-key.ts'
import { rotate } from '../domain/key-rotation.ts'
import { isPreset, isScope, presets, type Scope, scopes } from '../domain/scope.ts'
import { parseDuration } from '../domain/values/duration.ts'
import { UniqueViolation } from '../store/engine/engine.ts'
import { apiKeysIn } from '../store/tables/api-keys.ts'
import { keyUsesIn } from '../store/tables/key-uses.ts'
import { CommandError, checkName, type Io, type JsonOption, print, table, UsageError, when } from './process/io.ts'
import { tenantOf, withAudit, withSnapshot } from './process/with-store.ts'

export interface KeyOptions extends JsonOption {
  preset?: string
  scope?: string[]
  expires?: string
  name?: string
}

export interface RotateOptions extends JsonOption {
  overlap: string
  expires?: string
}

/** Makes a key and shows it this once: only its digest is kept. */
export async function createKey(io: Io, tenantId: string, options: KeyOptions): Promise<void> {
  const wanted = readScopes(options)
  checkName(options.name)
  const createdAtMs = Date.now()
  const expiresAtMs = options.expires === undefined ? null : createdAtMs + readDuration('--expires', options.expires)
  const { id, key, digest } = makeKey()
  const name = options.name ?? options.preset ?? 'key'
  const times = { createdAtMs, expiresAtMs, revokedAtMs: null }
  const apiKey: ApiKey = { id, tenantId, name, scopes: wanted, digest, ...times, predecessorId: null }
  await withAudit(io, async ({ store, record }) => {
    await tenantOf(store, tenantId)
    const resources = [{ type: 'key' as const, uid: id }]
    await apiKeysIn(store).create(apiKey, record({ action: 'createKey', method: 'POST', tenantId, resources }))
  })
  // Standard output has nothing but the key, so that a shell can take it from there.
  print(io, options, { ...shown(apiKey), key: key.reveal() }, key.reveal())
  if (!options.json) io.err(`key ${id} of ${tenantId}: ${wanted.join(', ')}. It is shown this once; keep it safe.`)
}

/** Makes the successor of a key and shows it this once. Both work until the overlap is over. */
export async function rotateKey(io: Io, id: string, options: RotateOptions): Promise<void> {
  checkKeyId(id)
  const nowMs = Date.now()
  const overlapMs = readDuration('--overlap', options.overlap)
  const expiresAtMs = options.expires === undefined ? undefined : nowMs + readDuration('--expires', options.expires)
  const { successor, key, endsAtMs } = await withAudit(io, async ({ store, record }) => {
    const keys = apiKeysIn(store)
    const before = await keys.find(id)
    if (before === null) throw new CommandError(`there is no key ${id}`)
    const state = stateOf(before)
    if (state !== 'active') throw new CommandError(`the key ${id} is ${state}: make another one with \`key create\``)
    const endMs = expiresAtMs === undefined ? await keys.endOfLine(before) : expiresAtMs
    const rotation = rotate(before, nowMs, overlapMs, endMs)
    const resources = [id, rotation.successor.id].map(uid => ({ type: 'key' as const, uid }))
    const event = record({ action: 'rotateKey', method: 'POST', tenantId: before.tenantId, resources })
    await store.engine.write([...keys.rotated(rotation, nowMs), event]).catch(error => {
      if (!(error instanceof UniqueViolation)) throw error
      throw new CommandError(`the key ${id} has a successor already, which \`key list\` shows`)
    })
    return rotation
  })
  print(io, options, { ...shown(successor), key: key.reveal() }, key.reveal())
  if (options.json) return
  io.err(
    `key ${successor.id} in the place of ${id}, which ends ${when(endsAtMs)}. It is shown this once; keep it safe.`
  )
}

export async function listKeys(io: Io, tenantId: string | undefined, options: JsonOption): Promise<void> {
  const keys = await withSnapshot(io, async store => {
    if (tenantId !== undefined) await tenantOf(store, tenantId)
    const uses = await keyUsesIn(store).all()
    const all = await apiKeysIn(store).list(tenantId)
    return all.map(key => ({ ...key, usedAtMs: uses.get(key.id) ?? null }))
  })
  const rows = keys.map(key => [
    key.id,
    key.tenantId,
    key.name,
    stateOf(key),
    key.predecessorId ?? '-',
    hour(key.usedAtMs),
    when(key.expiresAtMs),
    key.scopes.join(',')
  ])
  print(
    io,
    options,
    keys.map(key => ({ ...shown(key), last_used_at: iso(key.usedAtMs) })),
    table([['id', 'tenant', 'name', 'state', 'successor of', 'used', 'expires', 'scopes'], ...rows], 'no keys')
  )
}

/** Revokes a key and its successors. It acts within 5 s on every running gateway. */
export async function revokeKey(io: Io, id: string, options: JsonOption): Promise<void> {
  checkKeyId(id)
  const line = await withAudit(io, async ({ store, record }) => {
    const keys = apiKeysIn(store)
    const key = await keys.find(id)
    if (key === null) throw new CommandError(`there is no key ${id}`)
    const line = await keys.line(id)
    const resources = [...new Set([id, ...line])].slice(0, 99).map(uid => ({ type: 'key' as const, uid }))
    const event = record({ action: 'revokeKey', method: 'DELETE', tenantId: key.tenantId, resources })
    if (!(await keys.revoke(id, Date.now(), event))) throw new CommandError(`the key ${id} was revoked before`)
    return line
  })
  const successors = line.filter(other => other !== id)
  const also = successors.length === 0 ? '' : ` and its successors ${successors.join(', ')}`
  print(io, options, { id, revoked: true, successors }, `revoked key ${id}${also}; it stops working within 5 s`)
}

function checkKeyId(id: string): void {
  if (!keyIdPattern.test(id)) throw new UsageError('a key id is the 12 characters after lgk_; never give the whole key')
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
function readDuration(option: string, text: string): number {
  const ms = text.endsWith('s') ? null : parseDuration(text)
  if (ms === null || ms > longestLifeMs) throw new UsageError(`${option} must be like 30m, 12h or 90d, at most 3650d`)
  return ms
}

function stateOf({ revokedAtMs, expiresAtMs }: ApiKey): string {
  if (revokedAtMs !== null) return 'revoked'
  return expiresAtMs !== null && expiresAtMs <= Date.now() ? 'expired' : 'active'
}

function iso(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString()
}

/** Uses are known to the hour. */
function hour(ms: number | null): string {
  return ms === null ? '-' : `${new Date(ms).toISOString().slice(0, 13)}h`
}

function shown(key: ApiKey) {
  return {
    id: key.id,
    tenant_id: key.tenantId,
    name: key.name,
    scopes: key.scopes,
    created_at: iso(key.createdAtMs),
    expires_at: iso(key.expiresAtMs),
    revoked_at: iso(key.revokedAtMs),
    predecessor_id: key.predecessorId
  }
}
