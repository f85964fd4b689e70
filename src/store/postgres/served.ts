import type { PostgresHome } from '../../domain/store-home.ts'
import type { ServedStore, ServeOptions } from '../served/served-store.ts'
import { opened, toServe } from '../store.ts'
import { claim } from './owner.ts'
import { openPostgres } from './postgres.ts'

type Options = Pick<ServeOptions, 'waitMs' | 'clock' | 'demand' | 'onWait' | 'onTrouble'> & { home: PostgresHome }

/** The same for a store in PostgreSQL: its writer's row keeps other gateways out. @throws StoreError */
export async function openServedPostgres({
  home,
  waitMs,
  clock,
  demand,
  onWait,
  onTrouble
}: Options): Promise<ServedStore> {
  const engine = await openPostgres(home)
  let release = async (): Promise<void> => {}
  const store = await opened(engine, async (_, sql) => {
    const owner = await claim(home, engine, { waitMs, onWait, monotonic: clock.monotonic }, onTrouble)
    release = () => owner.release().catch(onTrouble)
    try {
      await toServe(engine, sql)
      await demand?.({ engine, sql, close: () => engine.close() })
    } catch (error) {
      await release()
      throw error
    }
  })
  return {
    ...store,
    lost: () => engine.moved(),
    async close() {
      await release()
      await engine.close()
    }
  }
}
