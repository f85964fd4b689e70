import t from 'tap'
import type { ApiKey } from '../../../src/domain/api-key.ts'
import { makeKey } from '../../../src/domain/api-key.ts'
import { rotate } from '../../../src/domain/key-rotation.ts'
import { scopes } from '../../../src/domain/scope.ts'
import { Conflict, StoreError, UniqueViolation } from '../../../src/store/engine/engine.ts'
import { apiKeysIn } from '../../../src/store/tables/api-keys.ts'
import { keyUsesIn } from '../../../src/store/tables/key-uses.ts'
import { keyOf, refusalOf, storeWithTenants } from '../../support/store/helper.ts'
import { bytesOf } from '../../support/store.ts'

t.test('a key is found as it was made; its text is nowhere in the store', async t => {
  const { store, file } = await storeWithTenants(t)
  const keys = apiKeysIn(store)
  const made = makeKey()
  const key = keyOf('acme', { id: made.id, digest: made.digest, scopes: [...scopes], expiresAtMs: 9_000 })
  await keys.create(key)
  t.strictSame(await keys.find(key.id), key)
  t.equal(await keys.find('missing'), null)
  const bytes = await bytesOf(file)
  t.match(bytes, made.digest, 'the digest is there')
  t.notMatch(bytes, made.key.reveal().slice(17, 60), 'the secret is not')
})

t.test('a key belongs to a tenant that exists, and its digest is its own', async t => {
  const { store } = await storeWithTenants(t)
  const keys = apiKeysIn(store)
  const key = keyOf('acme')
  await keys.create(key)
  t.match(await refusalOf(keys.create(keyOf('nobody'))), { constructor: StoreError, reason: /FOREIGN ?KEY/i })
  t.match(await refusalOf(keys.create(keyOf('globex', { digest: key.digest }))), { constructor: UniqueViolation })
  t.match(await refusalOf(keys.create(keyOf('globex', { id: key.id }))), { constructor: UniqueViolation })
  t.strictSame(await keys.list(), [key])
})

t.test('a key is revoked once; the first moment stays', async t => {
  const { store } = await storeWithTenants(t)
  const keys = apiKeysIn(store)
  const key = keyOf('acme')
  await keys.create(key)
  t.equal(await keys.revoke(key.id, 5_000), true)
  t.equal(await keys.revoke(key.id, 6_000), false)
  t.equal(await keys.revoke('missing', 6_000), false)
  t.strictSame(await keys.find(key.id), { ...key, revokedAtMs: 5_000 })
})

t.test('a revocation that cannot be written is told, not taken for done or missing', async t => {
  const { store } = await storeWithTenants(t)
  const keys = apiKeysIn({ ...store, engine: { ...store.engine, write: () => Promise.reject(new Error('disk')) } })
  await t.rejects(keys.revoke('k1', 5_000), { message: 'disk' })
})

t.test('the list has all keys of a tenant, revoked and expired ones too, in the order they were made', async t => {
  const { store } = await storeWithTenants(t)
  const keys = apiKeysIn(store)
  const late = keyOf('acme', { createdAtMs: 3_000, revokedAtMs: 4_000 })
  const early = keyOf('acme', { createdAtMs: 2_000, expiresAtMs: 2_001 })
  const theirs = keyOf('globex', { createdAtMs: 1_000 })
  for (const key of [late, theirs, early]) await keys.create(key)
  t.strictSame(await keys.list('acme'), [early, late])
  t.strictSame(await keys.list(), [early, late, theirs])
  t.strictSame(await keys.list('missing'), [])
})

t.test('a scope that this version does not know gives no right', async t => {
  const { store } = await storeWithTenants(t)
  const keys = apiKeysIn(store)
  const key = keyOf('acme')
  await keys.create(key)
  const store_ = async (scopes: string) => {
    await store.engine.write([store.sql.updateTable('api_keys').set({ scopes }).compile()])
    return (await keys.find(key.id))?.scopes
  }
  t.strictSame(await store_('["meetings:read","world:rule"]'), ['meetings:read'])
  t.strictSame(await store_('{"all":true}'), [])
})

t.test('a revoked key is among the changes, with its later revision', async t => {
  const { store } = await storeWithTenants(t)
  const keys = apiKeysIn(store)
  const key = keyOf('acme')
  await keys.create(key)
  const [created] = await keys.changedSince(0)
  t.match(created, { key: { id: key.id, revokedAtMs: null } })
  t.strictSame(await keys.changedSince(created?.revision ?? 0), [])
  await keys.revoke(key.id, 5_000)
  t.match(await keys.changedSince(created?.revision ?? 0), [{ key: { id: key.id, revokedAtMs: 5_000 } }])
})

t.test('a line of keys is revoked from one of them on, and each has one successor at a time', async t => {
  const { store } = await storeWithTenants(t)
  const keys = apiKeysIn(store)
  const first = keyOf('acme', { expiresAtMs: 90_000 })
  await keys.create(first)
  const turn = (before: ApiKey) => rotate(before, 2_000, 1_000, before.expiresAtMs)
  t.equal(await keys.endOfLine(first), 90_000)
  const second = turn(first)
  await store.engine.write(keys.rotated(second, 2_000))
  t.match(await keys.find(first.id), { expiresAtMs: 3_000 })
  t.match(await keys.find(second.successor.id), { predecessorId: first.id, expiresAtMs: 90_000, scopes: first.scopes })
  t.ok(await keys.hasSuccessor(first.id))
  t.match(await refusalOf(store.engine.write(keys.rotated(turn(first), 2_000))), { reason: /predecessor/ })
  t.type(await refusalOf(store.engine.write(keys.rotated(turn(first), 3_000))), Conflict, 'it has expired')

  const third = turn(second.successor)
  await store.engine.write(keys.rotated(third, 2_000))
  const line = [first.id, second.successor.id, third.successor.id]
  t.strictSame((await keys.line(first.id)).sort(), [...line].sort())
  t.strictSame((await keys.line(line[1] ?? '')).sort(), line.slice(1).sort())
  t.ok(await keys.revoke(line[1] ?? '', 4_000))
  t.strictSame(await keys.line(first.id), [first.id])
  t.notOk(await keys.hasSuccessor(first.id))
  t.equal(await keys.endOfLine({ id: first.id, expiresAtMs: 3_000 }), 90_000, 'as long as the one that was lost')
  t.match(await keys.find(line[2] ?? ''), { revokedAtMs: 4_000 })
  t.match(await keys.find(first.id), { revokedAtMs: null })
})

t.test('keys that expire soon are listed, the first before the others', async t => {
  const { store } = await storeWithTenants(t)
  const keys = apiKeysIn(store)
  for (const expiresAtMs of [9_000, 8_000, 20_000]) await keys.create(keyOf('acme', { createdAtMs: 0, expiresAtMs }))
  const asked = { nowMs: 5_000, untilMs: 10_000, longerThanMs: 1_000, limit: 10 }
  const times = async (more = {}) => (await keys.expiring({ ...asked, ...more })).map(one => one.expiresAtMs)
  t.strictSame(await times(), [8_000, 9_000])
  t.strictSame(await times({ limit: 1 }), [8_000])
  t.strictSame(await times({ longerThanMs: 8_500 }), [9_000])
})

t.test('the later use of a key counts', async t => {
  const { store } = await storeWithTenants(t)
  const uses = keyUsesIn(store)
  for (const atMs of [2_000, 3_000, 1_000]) await store.engine.write([uses.used('k1', atMs)])
  t.strictSame([...(await uses.all())], [['k1', 3_000]])
})
