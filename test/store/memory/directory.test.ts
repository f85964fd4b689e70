import t from 'tap'
import { StoreMoved } from '../../../src/store/engine/engine.ts'
import { openDirectory } from '../../../src/store/memory/directory.ts'
import { leaveWork } from '../../../src/store/schema/database.ts'
import type { Store } from '../../../src/store/store.ts'
import { apiKeysIn } from '../../../src/store/tables/api-keys.ts'
import { livestreamsIn } from '../../../src/store/tables/livestreams.ts'
import { meetingsIn } from '../../../src/store/tables/meetings.ts'
import { tenantsIn } from '../../../src/store/tables/tenants.ts'
import { keyOf, storeWithTenants, tenantNamed } from '../../support/store/helper.ts'
import { openStoreHere } from '../../support/store.ts'

/** A directory over one connection, and another connection that writes, as the command line would. */
async function world(t: Parameters<typeof storeWithTenants>[0]) {
  const { store: other, file } = await storeWithTenants(t)
  const key = keyOf('acme')
  await apiKeysIn(other).create(key)
  await meetingsIn(other).assign('acme', 'default', ['m1'], 1_000)
  const store = await openStoreHere(file)
  t.teardown(() => store.close())
  const reads = { count: 0, broken: false }
  const counted: Store = {
    ...store,
    engine: {
      ...store.engine,
      read(query) {
        reads.count++
        return reads.broken ? Promise.reject(new Error('disk')) : store.engine.read(query)
      }
    }
  }
  const clock = { now: 10_000 }
  const directory = await openDirectory(counted, { monotonic: () => clock.now })
  return { directory, other, key, reads, clock, counted }
}

t.test('rows that are in the store before the start are known at once', async t => {
  const { directory, key } = await world(t)
  t.match(directory.tenant('acme'), { id: 'acme', suspended: false })
  t.equal(directory.tenant('missing'), null)
  t.strictSame(directory.keyByDigest(key.digest), key)
  t.match(await directory.meeting('acme', 'm1'), { tenantId: 'acme' })
  t.equal(await directory.meeting('globex', 'm1'), null)
})

t.test('tenants and keys, also unknown ones, and an owner that was asked for before never touch the store', async t => {
  const { directory, key, reads } = await world(t)
  await directory.meeting('acme', 'm1')
  const before = reads.count
  directory.tenant('acme')
  directory.tenant('missing')
  directory.keyByDigest(key.digest)
  directory.keyByDigest(keyOf('acme').digest)
  await directory.meeting('acme', 'm1')
  t.equal(reads.count, before)
})

t.test('a new tenant and a new key of another process are known after a pull', async t => {
  const { directory, other } = await world(t)
  await tenantsIn(other).create(tenantNamed('initech'))
  const key = keyOf('initech')
  await apiKeysIn(other).create(key)
  t.equal(directory.keyByDigest(key.digest), null)
  await directory.pull()
  t.match(directory.tenant('initech'), { id: 'initech' })
  t.strictSame(directory.keyByDigest(key.digest), key)
})

t.test('a revoked key, a suspended tenant and new limits act after a pull', async t => {
  const { directory, other, key } = await world(t)
  await apiKeysIn(other).revoke(key.id, 5_000)
  await tenantsIn(other).update('acme', { suspended: true, readLimit: { calls: 7, seconds: 60, burst: 7 } }, 5_000)
  await directory.pull()
  t.equal(directory.keyByDigest(key.digest)?.revokedAtMs, 5_000)
  t.match(directory.tenant('acme'), { suspended: true, readLimit: { calls: 7, seconds: 60, burst: 7 } })
  await tenantsIn(other).update('acme', { suspended: false, readLimit: null }, 6_000)
  await directory.pull()
  t.match(directory.tenant('acme'), { suspended: false, readLimit: null })
})

t.test('a released, a newly assigned and a moved meeting act after a pull', async t => {
  const { directory, other } = await world(t)
  t.ok(await directory.meeting('acme', 'm1'))
  t.equal(await directory.meeting('acme', 'm2'), null)
  await meetingsIn(other).release('m1', 2_000)
  await meetingsIn(other).assign('acme', 'default', ['m2'], 2_000)
  await directory.pull()
  t.equal(await directory.meeting('acme', 'm1'), null)
  t.ok(await directory.meeting('acme', 'm2'))
  await meetingsIn(other).assign('globex', 'default', ['m1'], 3_000)
  await directory.pull()
  t.equal(await directory.meeting('acme', 'm1'), null)
  t.ok(await directory.meeting('globex', 'm1'))
})

t.test('a livestream is followed as it was seen last, and is gone with its meeting', async t => {
  const { directory, other } = await world(t)
  const owner = { id: 'a1', tenantId: 'acme', upstream: 'default', meetingId: 'm1' }
  await livestreamsIn(other).observe(owner, { id: 'a1', status: 'INVOKED' }, 2_000)
  t.match(await directory.livestream('acme', 'a1'), { status: 'INVOKED' })
  t.equal(await directory.livestream('globex', 'a1'), null)
  await livestreamsIn(other).observe(owner, { id: 'a1', status: 'LIVE' }, 3_000)
  await directory.pull()
  t.match(await directory.livestream('acme', 'a1'), { status: 'LIVE' })
  await meetingsIn(other).release('m1', 4_000)
  await directory.pull()
  t.equal(await directory.livestream('acme', 'a1'), null)
})

t.test('a directory need not wait for what its own process has written', async t => {
  const { directory, other } = await world(t)
  t.ok(await directory.meeting('acme', 'm1'))
  await meetingsIn(other).release('m1', 2_000)
  directory.forget('m1')
  t.equal(await directory.meeting('acme', 'm1'), null)
})

t.test('a pull without news costs one small read; those asked for during one are one more together', async t => {
  const { directory, reads } = await world(t)
  const before = reads.count
  await directory.pull()
  t.equal(reads.count, before + 1)
  await Promise.all(Array.from({ length: 9 }, () => directory.pull()))
  t.equal(reads.count, before + 3)
})

t.test('a pull brings what was written before it was asked for, also while another one is under way', async t => {
  const { directory, other, key } = await world(t)
  const underWay = directory.pull()
  await apiKeysIn(other).revoke(key.id, 5_000)
  await directory.pull()
  t.equal(directory.keyByDigest(key.digest)?.revokedAtMs, 5_000)
  await underWay
})

t.test('a pull tells of work that a command has left, once', async t => {
  const { directory, other } = await world(t)
  let told = 0
  const end = directory.onWorkLeft(() => {
    told += 1
  })
  await directory.pull()
  t.equal(told, 0)
  await other.engine.write([leaveWork(other.sql)])
  await directory.pull()
  await directory.pull()
  t.equal(told, 1)
  end()
  await other.engine.write([leaveWork(other.sql)])
  await directory.pull()
  t.equal(told, 1)
})

t.test('a failed pull does not fail the one after it', async t => {
  const { directory, reads } = await world(t)
  reads.broken = true
  const failing = t.rejects(directory.pull(), { message: 'disk' })
  reads.broken = false
  await directory.pull()
  await failing
})

t.test('it says when the store was last read; a failed pull does not count, and the next one brings all', async t => {
  const { directory, other, key, reads, clock } = await world(t)
  t.equal(directory.pulledAtMs, 10_000)
  clock.now = 20_000
  reads.broken = true
  await apiKeysIn(other).revoke(key.id, 5_000)
  await t.rejects(directory.pull(), { message: 'disk' })
  t.equal(directory.pulledAtMs, 10_000)
  t.equal(directory.keyByDigest(key.digest)?.revokedAtMs, null)
  reads.broken = false
  await directory.pull()
  t.equal(directory.pulledAtMs, 20_000)
  t.equal(directory.keyByDigest(key.digest)?.revokedAtMs, 5_000)
})

t.test('a gateway that cannot read its keys does not start', async t => {
  const { counted, reads } = await world(t)
  reads.broken = true
  await t.rejects(openDirectory(counted, { monotonic: () => 0 }), { message: 'disk' })
})

t.test('a store without a revision is followed from the beginning', async t => {
  const { counted, other } = await world(t)
  await other.engine.write([other.sql.deleteFrom('meta').where('name', '=', 'revision').compile()])
  const directory = await openDirectory(counted, { monotonic: () => 0 })
  t.match(directory.tenant('acme'), { id: 'acme' })
})

t.test('a store whose file was moved is known as such until it is back', async t => {
  const { store } = await storeWithTenants(t)
  const place: { error: Error | null } = { error: null }
  const check = async (): Promise<void> => {
    if (place.error !== null) throw place.error
  }
  const clock = { now: 10_000 }
  const directory = await openDirectory(
    { ...store, engine: { ...store.engine, check } },
    { monotonic: () => clock.now }
  )
  t.notOk(directory.moved)
  place.error = new StoreMoved('it is another file now')
  clock.now += 1_000
  await t.rejects(directory.pull(), place.error)
  t.ok(directory.moved)
  place.error = new Error('disk')
  await t.rejects(directory.pull(), place.error)
  t.notOk(directory.moved, 'it cannot be read, which is another matter')
  place.error = null
  await directory.pull()
  t.notOk(directory.moved)
})
