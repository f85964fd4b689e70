import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { openStore } from '../../../src/store/store.ts'
import { tenantsIn } from '../../../src/store/tables/tenants.ts'
import { tenantNamed } from '../../support/store/helper.ts'
import { openSnapshot, openStoreHere } from '../../support/store.ts'
import { until } from '../../support/until.ts'

/** The tenants in a copy of the database's file alone, as `cp` makes it beside a gateway. */
async function copied(file: string): Promise<string[]> {
  const copy = `${file}.copy`
  copyFileSync(file, copy)
  const store = await openSnapshot(copy)
  try {
    return (await tenantsIn(store).list()).map(({ id }) => id)
  } finally {
    await store.close()
  }
}

t.test("a copy of a young store's file alone is a store, and has what was written a moment ago", async t => {
  const file = join(t.testdir(), 'livegate.db')
  const gateway = await openStore(file)
  t.teardown(() => gateway.close())
  t.strictSame(await copied(file), [], 'from the start')

  const command = await openStoreHere(file)
  await tenantsIn(command).create(tenantNamed('acme'))
  await command.close()
  t.strictSame(await copied(file), ['acme'], 'a command leaves it so')

  await tenantsIn(gateway).create(tenantNamed('globex'))
  // One that is made while the database is being written is no copy.
  await until(async () => (await copied(file).catch(() => [])).length === 2)

  await tenantsIn(gateway).create(tenantNamed('initech'))
  await gateway.engine.fold()
  t.equal((await copied(file)).length, 3)
})

t.test('a reader, or a file that is gone, holds nothing up', async t => {
  const file = join(t.testdir(), 'livegate.db')
  const store = await openStoreHere(file)
  const reader = await openSnapshot(file)
  await tenantsIn(store).create(tenantNamed('acme'))
  await store.engine.fold()
  t.strictSame(await tenantsIn(reader).list(), [], 'its moment stays as it was')
  await reader.close()
  await store.engine.fold()
  t.strictSame(await copied(file), ['acme'])
  await store.close()
  await t.resolves(store.engine.fold(), 'and after the end it does nothing')
})
