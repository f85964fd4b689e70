import t from 'tap'
import { UniqueViolation } from '../../../src/store/engine/engine.ts'
import { tenantsIn } from '../../../src/store/tables/tenants.ts'
import { refusalOf, storeWithTenants, tenantNamed } from '../../support/store/helper.ts'

t.test('a tenant is found as it was made, with its own limits or without', async t => {
  const { store } = await storeWithTenants(t)
  const tenants = tenantsIn(store)
  const own = tenantNamed('own', {
    name: "O'Reilly & Söhne; drop table tenants",
    upstream: 'other',
    readLimit: { calls: 10, seconds: 1, burst: 3 },
    writeLimit: { calls: 5, seconds: 60, burst: 5 },
    createdAtMs: 1_795_345_200_000
  })
  await tenants.create(own)
  t.strictSame(await tenants.find('own'), own)
  t.strictSame(await tenants.find('acme'), tenantNamed('acme'))
  t.equal(await tenants.find('missing'), null)
  t.strictSame(
    (await tenants.list()).map(({ id }) => id),
    ['acme', 'globex', 'own']
  )
})

t.test('an id that is taken is refused, and the first tenant stays as it is', async t => {
  const { store } = await storeWithTenants(t)
  const tenants = tenantsIn(store)
  const again = tenants.create(tenantNamed('acme', { name: 'Impostor' }))
  t.match(await refusalOf(again), { constructor: UniqueViolation })
  t.equal((await tenants.find('acme'))?.name, 'acme')
})

t.test('a change touches what it names and nothing else', async t => {
  const { store } = await storeWithTenants(t)
  const tenants = tenantsIn(store)
  const acme = tenantNamed('acme')
  t.equal(await tenants.update('acme', { readLimit: { calls: 1, seconds: 2, burst: 1 } }, 5_000), true)
  t.strictSame(await tenants.find('acme'), { ...acme, readLimit: { calls: 1, seconds: 2, burst: 1 } })
  await tenants.update('acme', { readLimit: null, name: 'Acme TV', upstream: 'other' }, 5_000)
  t.strictSame(await tenants.find('acme'), { ...acme, name: 'Acme TV', upstream: 'other' })
  await tenants.update('acme', { suspended: true, writeLimit: { calls: 3, seconds: 4, burst: 3 } }, 5_000)
  t.match(await tenants.find('acme'), {
    suspended: true,
    writeLimit: { calls: 3, seconds: 4, burst: 3 },
    name: 'Acme TV'
  })
  await tenants.update('acme', { suspended: false }, 6_000)
  t.match(await tenants.find('acme'), { suspended: false, writeLimit: { calls: 3, seconds: 4, burst: 3 } })
  t.strictSame(await tenants.find('globex'), tenantNamed('globex'))
})

t.test('to change a tenant that does not exist changes nothing and says so', async t => {
  const { store } = await storeWithTenants(t)
  const tenants = tenantsIn(store)
  t.equal(await tenants.update('missing', { name: 'x' }, 5_000), false)
  t.equal((await tenants.list()).length, 2)
})

t.test('a store that cannot be written is told, not taken for a tenant that is missing', async t => {
  const { store } = await storeWithTenants(t)
  const tenants = tenantsIn({ ...store, engine: { ...store.engine, write: () => Promise.reject(new Error('disk')) } })
  await t.rejects(tenants.update('acme', { name: 'x' }, 5_000), { message: 'disk' })
})

t.test('each change has a later revision, so that memory can follow', async t => {
  const { store } = await storeWithTenants(t)
  const tenants = tenantsIn(store)
  const [acme, globex] = await tenants.changedSince(0)
  t.match([acme, globex], [{ tenant: { id: 'acme' } }, { tenant: { id: 'globex' } }])
  const last = globex?.revision ?? 0
  t.strictSame(await tenants.changedSince(last), [])
  await tenants.update('acme', { suspended: true }, 5_000)
  const changed = await tenants.changedSince(last)
  t.match(changed, [{ tenant: { id: 'acme', suspended: true } }])
  t.ok((changed[0]?.revision ?? 0) > last)
})

t.test('a limit is kept as its text; one that was written before there were bursts reads as before', async t => {
  const { store } = await storeWithTenants(t)
  const tenants = tenantsIn(store)
  await tenants.update('acme', { readLimit: { calls: 600, seconds: 60, burst: 100 } }, 5_000)
  const kept = await store.engine.read(store.sql.selectFrom('tenants').select('read_limit').orderBy('id').compile())
  t.match(kept, [{ read_limit: '600/60,100' }, { read_limit: null }])
  const older = store.sql.updateTable('tenants').set({ write_limit: '60/60' }).where('id', '=', 'acme')
  await store.engine.write([older.compile()])
  t.match(await tenants.find('acme'), { writeLimit: { calls: 60, seconds: 60, burst: 60 } })
})
