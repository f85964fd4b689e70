import t from 'tap'
import { makeKey } from '../../../src/domain/api-key.ts'
import { scopes } from '../../../src/domain/scope.ts'
import { StoreError, UniqueViolation } from '../../../src/store/engine/engine.ts'
import { apiKeysIn } from '../../../src/store/tables/api-keys.ts'
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
