import { readStoreConfig } from '../config.ts'
import { StoreError } from '../store/engine.ts'
import { openStore, type Store } from '../store/store.ts'
import { CommandError, type Io } from './io.ts'

/** Opens the store for one command, beside a running `serve` or without one, and closes it again. */
export async function withStore<T>(io: Io, work: (store: Store) => Promise<T>): Promise<T> {
  const { storeFile } = readStoreConfig(io.env)
  try {
    const store = await openStore(storeFile)
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
