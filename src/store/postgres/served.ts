import { onlyReplica, type Replicas } from '../../domain/replicas.ts'
import type { PostgresHome } from '../../domain/store-home.ts'
import type { ServedStore, ServeOptions } from '../served/served-store.ts'
import { opened, toServe } from '../store.ts'
import { claim } from './owner.ts'
import { openPostgres } from './postgres.ts'

type Options = Pick<
  ServeOptions,
  'waitMs' | 'clock' | 'demand' | 'onWait' | 'onTrouble' | 'most' | 'deadlineMs' | 'writeWithinMs'
> & {
  home: PostgresHome
}

/** The same for a store in PostgreSQL: the rows of its gateways keep others out, beyond as many as there may be. @throws StoreError */
export async function openServedPostgres({ home, waitMs, clock, demand, ...how }: Options): Promise<ServedStore> {
  const engine = await openPostgres(home)
  let replicas: Replicas = onlyReplica
  let release = async (): Promise<void> => {}
  const store = await opened(engine, async (_, sql) => {
    const replica = await claim(home, engine, { ...how, waitMs, monotonic: clock.monotonic })
    replicas = replica
    release = () => replica.release().catch(how.onTrouble)
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
    replicas,
    lost: () => engine.moved(),
    async close() {
      await release()
      await engine.close()
    }
  }
}
