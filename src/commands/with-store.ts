import { readStoreConfig } from '../config.ts'
import type { Tenant } from '../domain/tenant.ts'
import { StoreError } from '../store/engine.ts'
import type { Store } from '../store/store.ts'
import { tenantsIn } from '../store/tenants.ts'
import { CommandError, type Io } from './io.ts'

/** Opens the store for one command, beside a running `serve` or without one, and closes it again. */
export async function withStore<T>(io: Io, work: (store: Store) => Promise<T>): Promise<T> {
  const { storeFile } = readStoreConfig(io.env)
  try {
    const store = await io.openStore(storeFile)
    try {
      return await work(store)
    } finally {
      await store.close()
    }
  } catch (error) {
    if (error instanceof StoreError) throw new CommandError(error.reason, { cause: error })
    throw error
  }
}

/** A tenant that must exist, so that a misspelt one is not taken for one that has nothing. */
export async function tenantOf(store: Store, id: string): Promise<Tenant> {
  const tenant = await tenantsIn(store).find(id)
  if (tenant === null) throw new CommandError(`there is no tenant ${id}`)
  return tenant
}
